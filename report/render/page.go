package render

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

//go:embed templates
var files embed.FS

// HTML writes the report as one page that needs nothing else: no network, no
// script, no font. Its style sheet is allowed by its hash and everything else
// is forbidden by the page's own policy, so that even a text that slipped
// through the escaping could load and run nothing.
func HTML(w io.Writer, r *report.Result) error {
	css, err := files.ReadFile("templates/page.css")
	if err != nil {
		return err
	}
	sheet := strings.TrimSpace(string(css))
	t, err := template.New("page").Funcs(functions()).ParseFS(files, "templates/*.tmpl")
	if err != nil {
		return fmt.Errorf("the page's templates: %w", err)
	}
	p := pageOf(tame(r))
	p.CSS = template.CSS(sheet) //nolint:gosec // our own file, embedded
	sum := sha256.Sum256([]byte(sheet))
	p.Policy = "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; img-src data:; base-uri 'none'; form-action 'none'"
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "page.tmpl", p); err != nil {
		return err
	}
	_, err = w.Write(b.Bytes())
	return err
}

// page is what the templates draw.
type page struct {
	Policy string
	CSS    template.CSS

	R        *report.Result
	Title    string
	Lead     string
	Long     bool // the lead is more than a title can hold
	More     []string
	Meta     []string
	Contents []entry
	Tested   tested
	Gates    []gateRow
	Forest   *forest
	Strips   *strips
	Recovery []recoveryAct
	Blocks   []timeline // of the block trials
	Stories  []story
	Curves   []panel
	Latency  []latencyGroup
	LateRows int // rows of the latency table
	MoreLate int // and those that were left out
	Errors   bounded[report.ErrorCount]
	Costs    []costTable
	Trials   bounded[report.Trial]
	Audits   bounded[auditRow]
	Account  string
	Warnings bounded[warning]
	Glossary []term
	HostLine string
}

// entry is a line of the page's contents.
type entry struct{ ID, Title string }

// warning is a warning and the trial it is about, if it is about one.
type warning struct{ Trial, Text string }

func pageOf(r *report.Result) *page {
	late := bound(judgedPhases(r.Latency), maxLatency)
	p := &page{
		R: r, Title: verdictWord(r.Verdict) + ": " + r.Run.Scenario,
		Tested: testedOf(r), Gates: gateRows(r), Forest: forestOf(r), Strips: stripsOf(r), Recovery: recoveryActs(recoveryRows(r)),
		Curves: percentilePanels(r), Latency: latencyGroups(r, late.Rows), MoreLate: late.More, LateRows: len(late.Rows),
		Errors: boundErrors(r.Errors), Costs: costTables(r),
		Trials: boundTrials(r.Trials), Audits: bound(auditRows(r), maxAudits), Account: auditSentence(r),
		Glossary: glossary(), HostLine: hostLine(r.Host), Meta: metaOf(r),
	}
	if len(r.Headline) > 0 {
		p.Lead, p.More = r.Headline[0], r.Headline[1:]
		p.Long = len(p.Lead) > 150
	}
	groups := timelines(r)
	for _, g := range groups {
		if g.Tour == "" {
			p.Blocks = append(p.Blocks, g)
		}
	}
	p.Stories = stories(r, groups)
	p.Warnings = bound(warningsOf(r), maxWarnings)
	p.Contents = p.contents()
	return p
}

// contents are the sections that this page has.
func (p *page) contents() []entry {
	var out []entry
	add := func(there bool, id, title string) {
		if there {
			out = append(out, entry{id, title})
		}
	}
	add(true, "tested", "What was tested")
	add(len(p.Gates) > 0, "gates", "Gates")
	add(p.Forest != nil, "comparison", "Comparison")
	add(len(p.Recovery) > 0, "recovery", "Recovery")
	add(len(p.Blocks) > 0, "timeline", "Timeline")
	for i, s := range p.Stories {
		add(true, fmt.Sprintf("tour-%d", i), "Tour: "+s.Name)
	}
	add(len(p.Audits.Rows) > 0, "writes", "Acknowledged writes")
	add(len(p.Latency) > 0, "latency", "Latency and errors")
	add(len(p.Costs) > 0, "costs", "Cost")
	add(len(p.R.Trials) > 0, "trials", "Trials")
	add(len(p.Warnings.Rows) > 0, "warnings", "Warnings")
	add(true, "environment", "Environment")
	add(true, "method", "Method")
	add(true, "repeat", "Repeat it")
	add(true, "glossary", "Words")
	return out
}

// metaOf is the small line above the verdict.
func metaOf(r *report.Result) []string {
	var out []string
	if !r.Run.Started.IsZero() {
		out = append(out, r.Run.Started.UTC().Format("2 January 2006, 15:04 UTC"))
	}
	if !r.Run.Finished.IsZero() && r.Run.Finished.After(r.Run.Started) {
		out = append(out, seconds(report.Number(r.Run.Finished.Sub(r.Run.Started).Seconds()))+" long")
	}
	out = append(out, trialsSentence(r))
	if r.Run.Storm != "" {
		out = append(out, "storm "+r.Run.Storm)
	}
	return out
}

// functions are what the templates may call.
func functions() template.FuncMap {
	return template.FuncMap{
		"sign": verdictSign, "word": verdictWord, "meaning": verdictMeaning,
		"seconds": seconds, "latency": latency, "sentence": sentence, "capital": capital, "short": short,
		"format":  report.Format,
		"count":   unit.Grouped[int],
		"countU":  unit.Grouped[uint64],
		"counted": unit.Count[int],
		"class":   func(p *page, profile string) string { return profileClass(p.R, profile) },
		"recover": recovered, "unharmed": unharmed,
		"shard":    shardText,
		"percent":  percent,
		"noteSort": noteSort,
		"add":      func(a, b int) int { return a + b },
		"keep":     keepUnits,
		"memory":   func(h rundir.Host) string { return report.Format(report.Number(float64(h.MemoryMB)*(1<<20)), "bytes") },
		"fsync":    func(h rundir.Host) string { return seconds(report.Number(float64(h.FsyncUS) / 1e6)) },
		"plot":     func() int { return panelPlot },
		"plotTop":  func() int { return panelTop },
	}
}

// noteSort is the class of a gate's note: a caveat stands out.
func noteSort(note string) string {
	if strings.Contains(note, notTheSLO) {
		return "caveat"
	}
	return "note"
}

// short is a digest's beginning, enough to compare by eye.
func short(digest string) string {
	if len(digest) <= 12 {
		return digest
	}
	return digest[:12]
}

// keepUnits keeps a number and its unit on one line.
func keepUnits(s string) string {
	return unitBreak.ReplaceAllString(s, "$1\u00a0$2")
}

// warningsOf are the warnings of the run and of its trials: the same in every
// form of the report.
func warningsOf(r *report.Result) []warning {
	var out []warning
	for _, s := range r.Warnings {
		out = append(out, warning{"", s})
	}
	for _, t := range r.Trials {
		for _, s := range slices.Concat(t.Warnings, t.Load.Problems) {
			out = append(out, warning{t.ID, s})
		}
	}
	return out
}
