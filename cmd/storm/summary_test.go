package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSummary: the report is appended to what the step's summary has, as long as
// GitHub takes it; what cannot be written is a warning.
func TestSummary(t *testing.T) {
	dir := t.TempDir()
	report, summary := filepath.Join(dir, "report.md"), filepath.Join(dir, "summary.md")
	if err := os.WriteFile(report, []byte("## the report"), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	a := newApp(&bytes.Buffer{}, &said)
	t.Setenv(summaryEnv, "")
	a.summarize(report)
	t.Setenv(summaryEnv, summary)
	if err := os.WriteFile(summary, []byte("before\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a.summarize(report)
	a.summarize(report)
	if got, err := os.ReadFile(summary); err != nil || string(got) != "before\n## the report\n## the report\n" || said.Len() > 0 {
		t.Errorf("the summary is %q (%v), and it was said %q", got, err, said.String())
	}
	// Of a report that does not fit, the verdict and the gates do.
	if err := os.WriteFile(report, []byte("## verdict\n### Gates\n\n<details>"+strings.Repeat("x", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(summary, make([]byte, maxSummary-500), 0o600); err != nil {
		t.Fatal(err)
	}
	a.summarize(report)
	if got, err := os.ReadFile(summary); err != nil || len(got) >= maxSummary || !strings.Contains(string(got), "### Gates") || !strings.Contains(string(got), "see report.md") || said.Len() > 0 {
		t.Errorf("a summary with little room ends %q (%v), and it was said %q", got[len(got)-200:], err, said.String())
	}
	if err := os.WriteFile(report, []byte("## the report"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(summary, make([]byte, maxSummary), 0o600); err != nil {
		t.Fatal(err)
	}
	a.summarize(report)
	if info, err := os.Stat(summary); err != nil || info.Size() != maxSummary || !strings.Contains(said.String(), "more than the 1048576 bytes") {
		t.Errorf("a full summary has %d bytes (%v), and it was said %q", info.Size(), err, said.String())
	}
	said.Reset()
	t.Setenv(summaryEnv, filepath.Join(dir, "nowhere", "summary.md"))
	a.summarize(report)
	if !strings.HasPrefix(said.String(), "warning: ") {
		t.Errorf("a summary that cannot be written: %q", said.String())
	}
}
