package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/storm-harness/storm/report"
)

// maxPage is what the page may weigh.
const maxPage = 500 << 10

// TestPolicy: the page's policy allows its own style sheet and nothing else.
func TestPolicy(t *testing.T) {
	t.Parallel()
	page := render(t, HTML, quickstart())
	sheet := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
	if sheet == nil {
		t.Fatal("the page has no style sheet")
	}
	sum := sha256.Sum256([]byte(sheet[1]))
	want := "default-src &#39;none&#39;; style-src &#39;sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "&#39;; img-src data:; base-uri &#39;none&#39;; form-action &#39;none&#39;"
	if !strings.Contains(strings.ReplaceAll(page, "&#43;", "+"), `content="`+want+`"`) {
		t.Errorf("the policy is not %s", want)
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
	if h1, h2 := strings.Index(page, "<h1>Better: with fast-election"), strings.Index(page, "<h2"); h1 < 0 || h2 < h1 {
		t.Errorf("the verdict at %d is not before the first heading at %d", h1, h2)
	}
	if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
		t.Error("the page holds NaN or Inf")
	}
}

// TestLargeRun: 8 profiles, 40 blocks, trials of an hour, and error texts of
// 256 KiB stay within the page's and the summary's bounds.
func TestLargeRun(t *testing.T) {
	t.Parallel()
	r := quickstart()
	one := r.Trials[0]
	var line report.Line
	for s := range 3600 {
		line.T, line.V = append(line.T, float64(s)), append(line.V, report.Number(float64(s%97)))
	}
	for i := range r.Charts[0].Chart {
		c := &r.Charts[0].Chart[i]
		c.Lines = nil
		for n := range 328 {
			l := line
			l.Profile, l.Median, l.Valid, l.Part = "p"+string(rune('a'+n%8)), n < 8, true, "etcd-main-0"
			c.Lines = append(c.Lines, l)
		}
	}
	r.Charts[0].To = 3600
	why := strings.Repeat("why ", 1<<16)
	for n := range 320 {
		x := one
		x.Order, x.State, x.Reasons = n+14, report.TrialInvalid, []string{why}
		r.Trials = append(r.Trials, x)
		r.Warnings = append(r.Warnings, "a warning "+strings.Repeat("w", n))
	}
	for range 2000 {
		r.Errors = append(r.Errors, r.Errors[0])
		r.Latency = append(r.Latency, r.Latency[0])
		r.Audits = append(r.Audits, r.Audits[0])
	}
	if n := len(render(t, HTML, r)); n > 2*maxPage {
		t.Errorf("the page of a very large run has %d bytes", n)
	}
	if n := len(render(t, Markdown, r)); n > 1<<20 {
		t.Errorf("the summary has %d bytes, GitHub takes %d", n, 1<<20)
	}
	if n := len(render(t, HTML, quickstart())); n > maxPage {
		t.Errorf("the page of the quickstart has %d bytes, may have %d", n, maxPage)
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
	var html bytes.Buffer
	if err := HTML(&html, r); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(paths.HTML); err != nil || !bytes.Equal(got, html.Bytes()) {
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
			row := regexp.MustCompile(`<tr><td>` + load + `: list pods</td>.*?<code>(.*?)</code>`)
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
