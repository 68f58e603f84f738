package render

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// maxRows bounds every table of the Markdown report. With it the whole stays
// far below the 1 MiB that GitHub allows a step's summary; report.html has
// every row.
const maxRows = 60

// maxCell bounds one text in the Markdown report, in bytes before escaping.
const maxCell = 600

// maxMarkdown bounds the whole, however many profiles and gates there are: a
// section that would go beyond it is left out, which is said.
const maxMarkdown = 1_000_000

// Markdown writes the report for a step summary or a pull request: verdict,
// gates, comparisons, recovery, the account of writes, and what was not sound.
func Markdown(w io.Writer, r *report.Result) error {
	r = tame(r, maxText)
	m := &markdown{}
	m.section("The verdict", func() { m.head(r) })
	m.section("The gates", func() { m.gates(r) })
	m.section("The comparison of the profiles", func() { m.comparisons(r) })
	m.section("Recovery times", func() { m.recovery(r) })
	m.section("Acknowledged writes", func() { m.writes(r) })
	m.section("What it cost the server", func() { m.costs(r) })
	m.section("Quantiles", func() { m.quantiles(r) })
	m.section("Failures", func() { m.failures(r) })
	m.section("Trials that do not count", func() { m.trials(r) })
	var warnings []string
	for _, w := range warningsOf(r) {
		if w.Trial != "" {
			w.Text = w.Trial + ": " + w.Text
		}
		warnings = append(warnings, w.Text)
	}
	m.section("Warnings", func() { m.list("Warnings", warnings) })
	m.section("How to repeat it", func() { m.foot(r) })
	_, err := w.Write(m.b.Bytes())
	return err
}

type markdown struct{ b bytes.Buffer }

// section writes a part, and takes it back where there is no room for it.
func (m *markdown) section(title string, write func()) {
	const note = 200
	before := m.b.Len()
	write()
	if m.b.Len() > maxMarkdown-note {
		m.b.Truncate(before)
		m.linef("*%s: left out here, too much for a summary; report.html has it.*\n", title)
	}
}

func (m *markdown) linef(format string, args ...any) { fmt.Fprintf(&m.b, format+"\n", args...) }

func (m *markdown) head(r *report.Result) {
	m.linef("## %s %s: %s\n", verdictSign(r.Verdict), verdictWord(r.Verdict), escapeMarkdown(r.Run.Scenario))
	for i, s := range r.Headline {
		if i == 0 {
			m.linef("**%s**\n", escapeMarkdown(s))
			continue
		}
		m.linef("%s\n", escapeMarkdown(s))
	}
	m.list("What this machine limits", r.Limits)
}

// list writes a heading and a list, or nothing.
func (m *markdown) list(title string, items []string) {
	if len(items) == 0 {
		return
	}
	m.linef("**%s**\n", title)
	for i, s := range items {
		if i == maxRows {
			m.linef("- … and %s more", unit.Grouped(len(items)-maxRows))
			break
		}
		m.linef("- %s", escapeMarkdown(s))
	}
	m.linef("")
}

// table writes a table, whose cells are escaped already. Columns that begin
// with ">" are aligned to the right.
func (m *markdown) table(head []string, rows [][]string) {
	var names, rule []string
	for _, h := range head {
		name, right := strings.CutPrefix(h, ">")
		names = append(names, name)
		if right {
			rule = append(rule, "---:")
		} else {
			rule = append(rule, ":---")
		}
	}
	m.linef("| %s |", strings.Join(names, " | "))
	m.linef("| %s |", strings.Join(rule, " | "))
	for i, row := range rows {
		if i == maxRows {
			m.linef("\n… and %s more; report.html has them all.", unit.Grouped(len(rows)-maxRows))
			break
		}
		m.linef("| %s |", strings.Join(row, " | "))
	}
	m.linef("")
}

func (m *markdown) gates(r *report.Result) {
	if len(r.Gates) == 0 {
		return
	}
	var rows [][]string
	shown := *r
	shown.Gates = worstFirst(r.Gates, maxRows)
	for _, g := range gateRows(&shown) {
		what := escapeMarkdown(g.What)
		for _, n := range g.Notes {
			what += "<br>" + "*" + escapeMarkdown(n) + "*"
		}
		var values, why []string
		if len(g.Found) > maxRows {
			slices.SortStableFunc(g.Found, func(a, b foundCell) int { return cmp.Compare(weight(a.Verdict), weight(b.Verdict)) })
		}
		found := bound(g.Found, maxRows)
		for _, f := range found.Rows {
			name := ""
			if f.Profile != "" {
				name = escapeMarkdown(f.Profile) + ": "
			}
			values = append(values, name+escapeMarkdown(f.Value))
			why = append(why, name+escapeMarkdown(f.Why))
		}
		if found.More > 0 {
			values = append(values, fmt.Sprintf("and %d more", found.More))
		}
		rows = append(rows, []string{
			verdictSign(g.Verdict) + " " + verdictWord(g.Verdict), what, escapeMarkdown(g.Threshold),
			strings.Join(values, "<br>"), strings.Join(why, "<br>"),
		})
	}
	m.linef("### Gates\n")
	m.table([]string{"Verdict", "What", "Threshold", "Found", "Why"}, rows)
	if left := len(r.Gates) - len(shown.Gates); left > 0 {
		m.linef("These are the worst; report.json has %d more.\n", left)
	}
}

func (m *markdown) comparisons(r *report.Result) {
	if len(r.Comparisons) == 0 {
		return
	}
	var rows [][]string
	for _, c := range r.Comparisons {
		rows = append(rows, []string{
			escapeMarkdown(c.Title), escapeMarkdown(c.Profile), escapeMarkdown(c.Base),
			report.FormatOf(c.Metric, c.ProfileMedian, c.Unit), report.FormatOf(c.Metric, c.BaseMedian, c.Unit),
			escapeMarkdown(capital(c.Text)), unit.Grouped(c.Used),
		})
	}
	m.linef("<details><summary>Comparison of the profiles, for information (%s)</summary>\n", unit.Count(len(rows), "row"))
	m.table([]string{"What", "Profile", "Against", ">Median", ">Median of the other", "Finding", ">Blocks"}, rows)
	m.linef("</details>\n")
}

func (m *markdown) recovery(r *report.Result) {
	var rows [][]string
	for _, row := range recoveryRows(r) {
		if !row.counts() {
			continue
		}
		for _, g := range row.Cells {
			rows = append(rows, []string{
				escapeMarkdown(row.After()), escapeMarkdown(row.What()), escapeMarkdown(g.Profile),
				recovered(g, g.Median), recovered(g, g.Worst), seconds(g.Gap), unit.Grouped(g.Trials), unit.Grouped(g.Censored) + unwell(g),
			})
		}
	}
	if len(rows) == 0 {
		return
	}
	m.linef("### Recovery times\n")
	m.table([]string{"After", "Of", "Profile", ">Median", ">Worst", ">Longest gap (median)", ">Trials", ">Not recovered"}, rows)
}

func (m *markdown) writes(r *report.Result) {
	audits := auditRows(r)
	if len(audits) == 0 {
		return
	}
	m.linef("### Acknowledged writes\n")
	m.linef("%s\n", escapeMarkdown(auditSentence(r)))
	var supported []string
	for _, p := range r.RPO {
		supported = append(supported, p.Text)
	}
	m.list("What the trials support", supported)
	var rows [][]string
	for _, a := range audits {
		profile := a.Profile
		if a.Tour != "" {
			profile += ", tour " + a.Tour
		}
		trials := unit.Grouped(a.Trials)
		if a.Invalid > 0 {
			trials += fmt.Sprintf(" (%s invalid)", unit.Grouped(a.Invalid))
		}
		rows = append(rows, []string{
			escapeMarkdown(profile), escapeMarkdown(a.After), escapeMarkdown(a.Where()), trials, unit.Grouped(a.Acked), unit.Grouped(a.Found),
			unit.Grouped(a.Lost), unit.Grouped(a.Restored), unit.Grouped(a.Mismatch), unit.Grouped(a.Disagree),
		})
	}
	m.table([]string{"Profile", "After", "Written", ">Trials", ">Acknowledged", ">Found", ">Lost", ">Taken back by a restore", ">Contradicting", ">Disagreeing"}, rows)
}

func (m *markdown) costs(r *report.Result) {
	for _, t := range costTables(r) {
		title := "What it cost the server"
		if t.Tour != "" {
			title += ", tour " + t.Tour
		}
		m.linef("<details><summary>%s</summary>\n", escapeMarkdown(title))
		var rows [][]string
		for _, row := range t.Rows {
			for _, c := range row.Cells {
				value := c.Value
				if c.Why != "" {
					value += "<br>*" + escapeMarkdown(c.Why) + "*"
				}
				rows = append(rows, []string{escapeMarkdown(capital(row.What)), escapeMarkdown(c.Profile), value, c.Range, c.Trials})
			}
		}
		if len(rows) > 0 {
			m.table([]string{"What", "Profile", ">Median", ">Range over trials", ">Trials"}, rows)
		}
		m.linef("How each figure comes about, and what it cannot separate, is said in report.html and report.json.\n")
		for _, q := range t.Requests {
			m.linef("**%s: what the API servers used their processor time for**\n\n%s\n", escapeMarkdown(q.Profile), escapeMarkdown(q.Text))
			rows = nil
			for _, k := range q.Rows {
				rows = append(rows, []string{escapeMarkdown(k.What), escapeMarkdown(k.Loads), k.Rate, k.Each, k.Interval, k.Share})
			}
			if len(rows) > 0 {
				m.table([]string{"Work", "Of load", ">Rate", ">Processor time each", ">95 % interval", ">Share"}, rows)
			}
			rows = nil
			for _, l := range q.Loads {
				processors := l.Processors
				if l.Why != "" {
					processors += "<br>*" + escapeMarkdown(l.Why) + "*"
				}
				rows = append(rows, []string{escapeMarkdown(l.Load), l.Requests, l.Bytes, l.Writes, l.Written, processors, l.Interval, l.Share})
			}
			if len(rows) > 0 {
				m.table([]string{"Load", ">Requests", ">Answers", ">Writes", ">Of all etcd writes", ">Processors for its requests", ">95 % interval", ">Share"}, rows)
			}
		}
		m.linef("</details>\n")
	}
}

// quantiles are those of all requests, with their intervals.
func (m *markdown) quantiles(r *report.Result) {
	var rows [][]string
	for _, q := range quantileRows(r) {
		rows = append(rows, []string{
			escapeMarkdown(q.Profile), escapeMarkdown(q.Group), q.Name, q.Latency, escapeMarkdown(q.Doubt), unit.Grouped(q.Requests), q.Worth,
		})
	}
	if len(rows) == 0 {
		return
	}
	m.linef("<details><summary>Latency of all the load's requests in all measured phases, faults included, by quantile (%s)</summary>\n", unit.Count(len(rows), "row"))
	m.table([]string{"Profile", "Kind", "Quantile", ">Latency", "Interval", ">Requests", ">Worth"}, rows)
	m.linef("%s\n", quantileCaveat)
	m.linef("</details>\n")
}

// failures lists what failed, by kind of request and code.
func (m *markdown) failures(r *report.Result) {
	if len(r.Errors) == 0 {
		return
	}
	var rows [][]string
	shown := boundErrors(r.Errors, maxRows)
	for _, e := range shown.Rows {
		phase := e.Phase
		if phase == "" {
			phase = "between phases"
		}
		if e.Tour != "" {
			phase += ", tour " + e.Tour
		}
		rows = append(rows, []string{
			escapeMarkdown(e.Workload + ": " + e.Verb + " " + e.Resource), escapeMarkdown(phase), escapeMarkdown(e.Profile),
			escapeMarkdown(codeOf(e)), unit.Grouped(int(e.Count)), unit.Grouped(e.Trials),
		})
	}
	m.linef("<details><summary>%s (%s)</summary>\n", failuresTitle, unit.Count(len(r.Errors), "row"))
	m.table([]string{"Request", "Phase", "Profile", "Code", ">Count", ">Trials that saw it"}, rows)
	if shown.More > 0 {
		m.linef("… and %s more; report.html has them.\n", unit.Grouped(shown.More))
	}
	m.linef("</details>\n")
}

func (m *markdown) trials(r *report.Result) {
	var rows [][]string
	for _, t := range notValid(r) {
		reason := strings.Join(t.Reasons, "; ")
		rows = append(rows, []string{escapeMarkdown(t.ID), escapeMarkdown(string(t.State)), escapeMarkdown(reason)})
	}
	if len(rows) == 0 {
		return
	}
	m.linef("### Trials that do not count\n")
	if text := validity(r); text != "" {
		m.linef("%s\n", escapeMarkdown(text))
	}
	m.table([]string{"Trial", "State", "Why"}, rows)
}

func (m *markdown) foot(r *report.Result) {
	m.linef("<details><summary>How to repeat it, and where it ran</summary>\n")
	m.linef("%s\n", codeBlock(r.Run.Repeat))
	m.linef("- run %s, seed %d, storm %s", escapeMarkdown(r.Run.ID), r.Run.Seed, escapeMarkdown(r.Run.Storm))
	if host := hostLine(r.Host); host != "" {
		m.linef("- on %s", escapeMarkdown(host))
	}
	if how := resets(r.Trials); how != "" {
		m.linef("- resets: %s", escapeMarkdown(how))
	}
	profiles := bound(r.Profiles, maxRows)
	for _, p := range profiles.Rows {
		about := ""
		if p.About != "" {
			about = p.About + ": "
		}
		m.linef("- profile %s: %s%s", escapeMarkdown(p.Name), escapeMarkdown(about), escapeMarkdown(changesText(p)))
	}
	if profiles.More > 0 {
		m.linef("- and %d profiles more", profiles.More)
	}
	builds := bound(r.Provenance, maxRows)
	for _, p := range builds.Rows {
		of := ""
		if p.Profile != "" {
			of = " of profile " + p.Profile
		}
		m.linef("- %s%s: %s", escapeMarkdown(p.Component), escapeMarkdown(of), escapeMarkdown(buildText(p)))
	}
	if builds.More > 0 {
		m.linef("- and %d more", builds.More)
	}
	m.linef("\n</details>")
}

// codeBlock fences a text with more backticks than it holds.
func codeBlock(s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	return fence + "sh\n" + clip(s, maxCell) + "\n" + fence
}

// escapeMarkdown writes a text so that it reads as itself: nothing in it
// becomes markup, a link, a table's border, a mention or a reference to an
// issue. A zero-width space, which is put in by us and never by the text,
// breaks what GitHub would link by itself.
func escapeMarkdown(s string) string {
	var b strings.Builder
	for _, r := range clip(plain(s), maxCell) {
		switch r {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '\\', '`', '*', '_', '[', ']', '|', '~', '$':
			b.WriteByte('\\')
			b.WriteRune(r)
		case '@', '#':
			b.WriteRune(r)
			b.WriteString("\u200b")
		default:
			b.WriteRune(r)
		}
	}
	return strings.NewReplacer("://", ":\u200b//", "www.", "www\u200b.", "WWW.", "WWW\u200b.").Replace(b.String())
}
