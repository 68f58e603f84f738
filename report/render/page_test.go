package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/storm-harness/storm/report"
)

// TestPolicy: the page's policy allows its own style sheet and its own two
// scripts, and nothing else.
func TestPolicy(t *testing.T) {
	t.Parallel()
	page := render(t, HTML, quickstart())
	policy := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(page)
	if policy == nil {
		t.Fatal("the page has no policy")
	}
	var sums []string
	for _, tag := range []string{"script", "style"} {
		for _, text := range regexp.MustCompile(`(?s)<`+tag+`>(.*?)</`+tag+`>`).FindAllStringSubmatch(page, -1) {
			sum := sha256.Sum256([]byte(text[1]))
			sums = append(sums, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
		}
	}
	if len(sums) != 3 {
		t.Fatalf("the page has %d scripts and style sheets, want 3", len(sums))
	}
	want := fmt.Sprintf("default-src 'none'; script-src %s %s; style-src %s; img-src data:; base-uri 'none'; form-action 'none'", sums[0], sums[1], sums[2])
	if got := html.UnescapeString(policy[1]); got != want {
		t.Errorf("the policy is %s\nwant %s", got, want)
	}
}

// TestVendored: the library is the one that its page names.
func TestVendored(t *testing.T) {
	t.Parallel()
	about, err := files.ReadFile("uplot/README.md")
	if err != nil {
		t.Fatal(err)
	}
	sums := regexp.MustCompile(`(?m)^    ([0-9a-f]{64})  (\S+)$`).FindAllStringSubmatch(string(about), -1)
	if len(sums) != 2 {
		t.Fatalf("uplot/README.md names %d files, want 2", len(sums))
	}
	for _, s := range sums {
		text, err := files.ReadFile("uplot/" + s[2])
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(text)); got != s[1] {
			t.Errorf("%s has the SHA-256 %s, uplot/README.md says %s", s[2], got, s[1])
		}
	}
	if licence, err := files.ReadFile("uplot/LICENSE"); err != nil || !bytes.Contains(licence, []byte("MIT License")) {
		t.Errorf("the licence is not beside it (%v)", err)
	}
}

// TestSections: every section of the contents is there, and the verdict is the
// first heading.
func TestSections(t *testing.T) {
	t.Parallel()
	page := render(t, HTML, quickstart())
	links := regexp.MustCompile(`<a href="#([a-z0-9-]+)">`).FindAllStringSubmatch(page, -1)
	if len(links) < 12 {
		t.Errorf("the contents name %d sections, want at least 12", len(links))
	}
	for _, l := range links {
		if !strings.Contains(page, `<section id="`+l[1]+`"`) {
			t.Errorf("section %s is missing", l[1])
		}
	}
	if h1, h2 := strings.Index(page, "<h1>Better: fast-election recovers"), strings.Index(page, "<h2"); h1 < 0 || h2 < h1 {
		t.Errorf("the verdict at %d is not before the first heading at %d", h1, h2)
	}
	if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
		t.Error("the page holds NaN or Inf")
	}
}

// TestEmpty: a run without anything renders, and says that nothing was judged.
func TestEmpty(t *testing.T) {
	t.Parallel()
	r := &report.Result{Schema: 1, Verdict: report.None, Headline: []string{"Nothing was judged: the scenario sets no gates."}}
	for _, text := range []string{render(t, HTML, r), render(t, Markdown, r)} {
		if !strings.Contains(text, "Nothing was judged") {
			t.Errorf("an empty run does not say so: %.300s", text)
		}
	}
	if suite := readSuite(t, r); suite.Errors != 1 {
		t.Errorf("a run without a valid trial has %d errors in junit.xml, want 1", suite.Errors)
	}
}

// TestSLOLabel: thresholds on a short steady phase are never left to be taken
// for the SLO; those on a long one and comparisons are not labelled.
func TestSLOLabel(t *testing.T) {
	t.Parallel()
	r := quickstart()
	r.Gates[0].Note = ""
	if rows := gateRows(r); strings.Join(rows[0].Notes, "") != notTheSLO || len(rows[4].Notes) != 0 {
		t.Errorf("notes are %q and %q, want the label and none", rows[0].Notes, rows[4].Notes)
	}
	r.Run.ShortSteady = false
	if rows := gateRows(r); len(rows[0].Notes) != 0 {
		t.Errorf("a long steady phase is labelled %q", rows[0].Notes)
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "report.md"), []byte("an older report"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := quickstart()
	paths, err := All(dir, r)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(paths.HTML); err != nil || string(got) != render(t, HTML, r) {
		t.Errorf("report.html differs from what HTML writes (%v)", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v: what a cluster said is its owner's to read (%v)", e.Name(), info.Mode(), err)
		}
	}
	if got := strings.Join(names, " "); got != "junit.xml report.html report.json report.md" {
		t.Errorf("the directory holds %s", got)
	}
	if _, err := All(filepath.Join(dir, "nowhere"), r); err == nil {
		t.Error("a directory that is not there gives no error")
	}
}

// TestEveryCodeIsShown: in a run with more kinds of failures than the page has
// rows for, each load's codes are all there.
func TestEveryCodeIsShown(t *testing.T) {
	t.Parallel()
	codes := []string{"409", "410", "429", "429 retry-after", "500 no-space", "503 shutting-down", "504 too-slow", "timeout", "reset", "goaway", "eof", "malformed", "refused"}
	r := quickstart()
	r.Errors = nil
	for i := range 2 * maxErrors {
		r.Errors = append(r.Errors, report.ErrorCount{
			Profile: r.Profiles[0].Name, Workload: "churn", Verb: "create", Resource: "kind" + strings.Repeat("s", i), Phase: "steady", Code: "409", Count: uint64(100_000 - i), Trials: 1,
		})
	}
	for _, load := range []string{"fleet", "lists"} {
		for i, code := range codes {
			r.Errors = append(r.Errors, report.ErrorCount{Profile: r.Profiles[0].Name, Workload: load, Verb: "list", Resource: "pods", Phase: "steady", Code: code, Count: uint64(50 - i), Trials: 1})
		}
	}
	page := render(t, HTML, r)
	for _, load := range []string{"fleet", "lists"} {
		for _, code := range codes {
			row := regexp.MustCompile(`<tr><td>` + load + `: list pods<td>.*?<code>(.*?)</code>`)
			found := false
			for _, m := range row.FindAllStringSubmatch(page, -1) {
				found = found || m[1] == code
			}
			if !found {
				t.Errorf("nothing of %s with %s", load, code)
			}
		}
	}
	if n := strings.Count(page, "<td>churn: create "); n != maxErrors-2*len(codes) {
		t.Errorf("%d rows of the others, want what room there is left: %d", n, maxErrors-2*len(codes))
	}
}
