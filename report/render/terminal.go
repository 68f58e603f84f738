package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// Screen is where Terminal writes.
type Screen struct {
	Width  int    // columns; under 72, which the tables need, counts as 72
	Color  bool   // use colour; without it the text has no escapes at all
	Report string // path of report.html, named in the last line; may be empty
}

// leastWidth is what the tables need.
const leastWidth = 72

// Terminal writes the end of a run: the verdict, the gates, the recovery times,
// and where the report is. No line is wider than the screen.
func Terminal(w io.Writer, r *report.Result, s Screen) error {
	s.Width = max(s.Width, leastWidth)
	r = tame(r, maxText)
	t := &terminal{Screen: s}
	t.head(r)
	t.gates(r)
	t.recovery(r)
	t.foot(r)
	_, err := io.WriteString(w, t.b.String())
	return err
}

type terminal struct {
	Screen
	b strings.Builder
}

// The colours are the terminal's own, so that they fit its background.
const (
	styleBold = "1"
	styleDim  = "2"
)

func verdictStyle(v report.Verdict) string {
	switch v {
	case report.Pass:
		return "32" // green
	case report.Improved:
		return "36" // cyan
	case report.Regressed:
		return "31" // red
	case report.Inconclusive:
		return "33" // yellow
	case report.Invalid:
		return "35" // magenta
	default:
		return styleDim
	}
}

// styled wraps an already plain text in a style, where there is colour.
func (t *terminal) styled(style, s string) string {
	if !t.Color || style == "" || strings.TrimSpace(s) == "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

func (t *terminal) line(s string) { t.b.WriteString(strings.TrimRight(s, " ") + "\n") }

// text writes a paragraph with a hanging indent.
func (t *terminal) text(style, first, indent, s string) {
	for i, l := range wrap(s, t.Width-columns(indent)) {
		prefix := indent
		if i == 0 {
			prefix = first
		}
		t.line(prefix + t.styled(style, l))
	}
}

func (t *terminal) head(r *report.Result) {
	t.line("")
	t.line(t.styled(styleBold+";"+verdictStyle(r.Verdict), verdictSign(r.Verdict)+" "+strings.ToUpper(verdictWord(r.Verdict))))
	for i, s := range r.Headline {
		style := ""
		if i == 0 {
			style = styleBold
		}
		t.text(style, "", "", s)
	}
	if text := validity(r); text != "" {
		t.text("", "", "", text)
	}
	for i, s := range r.Limits {
		if i == 0 {
			t.line("")
			t.line(t.styled(styleDim, "Limits of this machine"))
		}
		t.text(styleDim, "- ", "  ", s)
	}
}

func (t *terminal) gates(r *report.Result) {
	if len(r.Gates) == 0 {
		return
	}
	table := grid{head: []string{"VERDICT", "GATE", "THRESHOLD", "FOUND"}, least: []int{14, 14, 11, 10}, weight: []int{0, 5, 3, 4}}
	for _, g := range gateRows(r) {
		what := g.What
		for _, n := range g.Notes {
			what += "\n(" + n + ")"
		}
		var values []string
		for _, f := range g.Found {
			v := f.Value
			if f.Profile != "" {
				v = f.Profile + " " + v
			}
			values = append(values, v)
		}
		table.add(verdictStyle(g.Verdict), verdictSign(g.Verdict)+" "+strings.ToLower(verdictWord(g.Verdict)), what, g.Threshold, strings.Join(values, "\n"))
	}
	t.line("")
	t.table(table)
}

func (t *terminal) recovery(r *report.Result) {
	table := grid{head: []string{"RECOVERY AFTER", "OF", "PROFILE", ">MEDIAN", ">WORST", ">RECOVERED"}, least: []int{14, 10, 8, 8, 8, 9}, weight: []int{3, 3, 3, 0, 0, 0}}
	last := ""
	for _, row := range recoveryRows(r) {
		if !row.counts() || !row.harmed() {
			continue // the report has them
		}
		for i, g := range row.Cells {
			after, of := "", ""
			if i == 0 {
				of = row.What()
				if row.After() != last {
					after = row.After()
				}
				last = row.After()
			}
			table.add("", after, of, g.Profile, tight(recovered(g, g.Median)), tight(recovered(g, g.Worst)), fmt.Sprintf("%s of %s", unit.Grouped(g.Trials-g.Censored), unit.Grouped(g.Trials)))
		}
	}
	if len(table.rows) == 0 {
		return
	}
	t.line("")
	t.table(table)
}

// tight writes a bound in fewer columns: over 27.4 s becomes >27.4 s.
func tight(s string) string {
	if rest, ok := strings.CutPrefix(s, "over "); ok {
		return ">" + rest
	}
	return s
}

func (t *terminal) foot(r *report.Result) {
	t.line("")
	if len(r.Audits) > 0 {
		t.text("", "", "", auditSentence(r))
		for _, p := range r.RPO {
			t.text(styleDim, "  ", "  ", p.Text+".")
		}
	}
	if s := costLine(r); s != "" {
		t.text("", "", "", s)
	}
	for i, tr := range notValid(r) {
		if i == 5 {
			t.line(fmt.Sprintf("… and %s more that do not count, named in the report.", unit.Grouped(len(notValid(r))-i)))
			break
		}
		t.text("", "", "  ", fmt.Sprintf("%s does not count (%s): %s", tr.ID, tr.State, strings.Join(tr.Reasons, "; ")))
	}
	if n := len(warningsOf(r)); n > 0 {
		t.text("", "", "", fmt.Sprintf("%s in the report.", unit.Count(n, "warning")))
	}
	if t.Report != "" {
		// Never broken: a path is for copying, even where it is too long.
		t.line("Report: " + t.styled(styleBold, plain(t.Report)))
	}
}
