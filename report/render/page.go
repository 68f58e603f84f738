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

//go:embed templates uplot
var files embed.FS

// HTML writes the report as one page that needs nothing else: no network, no
// font, no other file. Its style sheet and its two scripts are allowed by their
// hashes and everything else is forbidden by the page's own policy, so that even
// a text that slipped through the escaping could load and run nothing. Without
// the scripts the page shows the same.
func HTML(w io.Writer, r *report.Result) error {
	t, err := template.New("page").Funcs(functions()).ParseFS(files, "templates/*.tmpl")
	if err != nil {
		return fmt.Errorf("the page's templates: %w", err)
	}
	own, err := inlined()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for _, d := range details {
		b.Reset()
		p := pageOf(r, d)
		p.inline = own
		if err := t.ExecuteTemplate(&b, "page.tmpl", p); err != nil {
			return err
		}
		if b.Len() <= maxPage {
			break
		}
	}
	_, err = w.Write(b.Bytes())
	return err
}

// inline is what of the page is storm's own, with the policy that allows it and
// nothing else.
type inline struct {
	Policy     string
	CSS        template.CSS
	UPlot, Own template.JS
}

func inlined() (inline, error) {
	var text [4]string
	for i, name := range []string{"uplot/uPlot.min.css", "templates/page.css", "uplot/uPlot.iife.min.js", "templates/page.js"} {
		data, err := files.ReadFile(name)
		if err != nil {
			return inline{}, err
		}
		text[i] = strings.TrimSpace(string(data))
	}
	sheet := text[0] + "\n" + text[1]
	return inline{
		Policy: fmt.Sprintf("default-src 'none'; script-src %s %s; style-src %s; img-src data:; base-uri 'none'; form-action 'none'", hashed(text[2]), hashed(text[3]), hashed(sheet)),
		CSS:    template.CSS(sheet),  //nolint:gosec // our own file, embedded
		UPlot:  template.JS(text[2]), //nolint:gosec // so is this
		Own:    template.JS(text[3]), //nolint:gosec // and this
	}, nil
}

// hashed is the source expression of a policy that allows just this text.
func hashed(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// page is what the templates draw.
type page struct {
	inline

	R        *report.Result
	Less     []string // what was left out, for want of room
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
	Quants   []quantileRow
	Heat     []heatPanel
	Shards   []shardGroup
	Levels   []levelGroup
	Differ   bounded[difference]
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
	Standing string      // of storm's threads
	Live     []liveGroup // what the script draws the charts from
}

// entry is a line of the page's contents.
type entry struct{ ID, Title string }

// warning is a warning and the trial it is about, if it is about one.
type warning struct{ Trial, Text string }

func pageOf(whole *report.Result, d detail) *page {
	r := d.tame(whole)
	differ := differencesOf(r) // before the scenario is cut
	less := d.shrink(r)
	late := bound(judgedPhases(r.Latency), d.of(maxLatency))
	p := &page{
		R: r, Less: less, Title: verdictWord(r.Verdict) + ": " + r.Run.Scenario,
		Tested: testedOf(r), Gates: gateRows(r), Forest: forestOf(r), Strips: stripsOf(r), Recovery: recoveryActs(recoveryRows(r)),
		Curves: percentilePanels(r), Quants: quantileRows(r), Heat: heatPanels(r), Shards: shardGroups(r), Levels: levelGroups(r), Differ: boundDifferences(differ, d.of(100), len(r.Profiles)),
		Latency: latencyGroups(r, late.Rows), MoreLate: late.More, LateRows: len(late.Rows),
		Errors: boundErrors(r.Errors, d.of(maxErrors)), Costs: costTables(r),
		Trials: boundTrials(r.Trials, d.of(maxTrials)), Audits: bound(auditRows(r), d.of(maxAudits)), Account: auditSentence(r),
		Glossary: glossary(), Standing: standing(r.Host), Meta: metaOf(r),
	}
	if len(r.Headline) > 0 {
		p.Lead, p.More = r.Headline[0], r.Headline[1:]
		p.Long = len(p.Lead) > 150
	}
	groups := timelines(r, d)
	for _, g := range groups {
		p.Live = append(p.Live, g.Live)
		if g.Tour == "" {
			p.Blocks = append(p.Blocks, g)
		}
	}
	p.Stories = stories(r, groups, d)
	p.Warnings = bound(warningsOf(r), d.of(maxWarnings))
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
	add(len(p.Shards) > 0, "shards", "Shards")
	add(len(p.Levels) > 0, "levels", "Priority levels")
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
		"format":         report.Format,
		"count":          unit.Grouped[int],
		"countU":         unit.Grouped[uint64],
		"failed":         failed,
		"failuresTitle":  func() string { return failuresTitle },
		"quantileCaveat": func() string { return quantileCaveat },
		"counted":        unit.Count[int],
		"class":          func(p *page, profile string) string { return profileClass(p.R, profile) },
		"recover":        recovered, "unharmed": unharmed, "unwell": unwell,
		"shard":    shardText,
		"resets":   resets,
		"percent":  percent,
		"noteSort": noteSort,
		"waited":   waited, "reasons": reasons,
		"bodies": bodies, "files": filesOpen,
		"add":     func(a, b int) int { return a + b },
		"keep":    keepUnits,
		"memory":  func(h rundir.Host) string { return report.Format(report.Number(float64(h.MemoryMB)*(1<<20)), "bytes") },
		"fsync":   func(h rundir.Host) string { return seconds(report.Number(float64(h.FsyncUS) / 1e6)) },
		"plot":    func() int { return panelPlot },
		"pathBox": func() string { return fmt.Sprintf("0 0 %d %d", pathWidth, pathHeight) },
		"plotTop": func() int { return panelTop },
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
