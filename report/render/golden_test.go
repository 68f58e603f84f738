package render

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/storm-harness/storm/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with testdata/name.golden.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got), -update writes it anew:\n%s", path, diff)
	}
}

func TestQuickstart(t *testing.T) {
	t.Parallel()
	r := quickstart()
	var html, md, xml, data, screen bytes.Buffer
	for _, err := range []error{
		HTML(&html, r), Markdown(&md, r), JUnit(&xml, r), JSON(&data, r),
		Terminal(&screen, r, Screen{Width: 80, Report: "runs/20261101-120000-quickstart-5f1c/report.html"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "quickstart.html", html.Bytes())
	golden(t, "quickstart.md", md.Bytes())
	golden(t, "quickstart.junit.xml", xml.Bytes())
	golden(t, "quickstart.json", data.Bytes())
	golden(t, "quickstart.terminal", screen.Bytes())
	var back report.Result
	if err := json.Unmarshal(data.Bytes(), &back); err != nil {
		t.Errorf("report.json does not read back: %v", err)
	}
}
