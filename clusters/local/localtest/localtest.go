// Package localtest starts real local clusters for tests of other packages.
package localtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/local"
	"github.com/storm-harness/storm/clusters/supervise"
	"github.com/storm-harness/storm/internal/ledger"
)

// Main is the TestMain of a package that starts clusters: their supervisors are
// the test's own executable.
func Main(m *testing.M) {
	supervise.RunIfAsked()
	os.Exit(m.Run())
}

// Options returns what local.Up takes for a cluster that lives in the test's
// own directories. The ledger is finished when the test ends.
func Options(t testing.TB, spec clusters.Spec) local.Options {
	t.Helper()
	store, err := components.Open(components.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// Unique on the machine: a cleanup looks at every process of a run id.
	book, err := ledger.Create(fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := book.Finish(); err != nil {
			t.Error(err)
		}
	})
	return local.Options{Spec: spec, Dir: filepath.Join(t.TempDir(), "cluster"), LogDir: t.TempDir(), Store: store, Ledger: book, Sink: clusters.Discard}
}

// Up starts a cluster that ends with the test.
func Up(t testing.TB, spec clusters.Spec) *local.Cluster {
	t.Helper()
	c, err := local.Up(t.Context(), Options(t, spec))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}
