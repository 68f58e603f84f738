package ledger

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/remains"
)

// Objects whose cluster cannot be asked are not taken for gone: the ledger
// stays, and the finding says what to do about it.
func TestObjectsOfAClusterThatCannotBeAsked(t *testing.T) {
	t.Setenv("STORM_STATE_DIR", t.TempDir())
	l, err := Create("objects")
	if err != nil {
		t.Fatal(err)
	}
	at := remains.Place{Kubeconfig: []string{filepath.Join(t.TempDir(), "gone")}, Context: "staging", UID: "u"}
	if err := l.IntendObjects(at); err != nil {
		t.Fatal(err)
	}
	records, err := readRecords(l.path)
	if err != nil {
		t.Fatal(err)
	}
	left := open(records)
	if len(left) != 1 || left[0].Kind != Objects || left[0].Intent.Place == nil || left[0].Intent.Place.Context != "staging" || left[0].Intent.Place.UID != "u" {
		t.Fatalf("the ledger has %+v", left)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	found, err := Cleanup(t.Context(), nil)
	if err == nil || len(found) != 1 || found[0].Result != Failed {
		t.Fatalf("%+v, %v", found, err)
	}
	for _, want := range []string{"there is no kubeconfig at", "if that cluster is no more, delete " + l.path, "storm cleanup"} {
		if !strings.Contains(found[0].Why, want) {
			t.Errorf("it says %q, without %q", found[0].Why, want)
		}
	}
	if _, err := os.Stat(l.path); err != nil {
		t.Errorf("the ledger is gone: %v", err)
	}
}

// What was put back is no longer in the ledger.
func TestObjectsThatWereRemoved(t *testing.T) {
	t.Setenv("STORM_STATE_DIR", t.TempDir())
	l, err := Create("removed")
	if err != nil {
		t.Fatal(err)
	}
	at := remains.Place{Kubeconfig: []string{"/config"}, Context: "staging"}
	if err := l.IntendObjects(at); err != nil {
		t.Fatal(err)
	}
	if err := l.Undo(Objects, at.String()); err != nil {
		t.Fatal(err)
	}
	if err := l.Finish(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(l.path); !os.IsNotExist(err) {
		t.Errorf("the ledger is still there: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
