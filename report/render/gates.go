package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/storm-harness/storm/report"
)

// gateRow is a gate as a row of a table, in words.
type gateRow struct {
	Verdict   report.Verdict
	What      string // the metric in words
	Spec      string // as the scenario has it
	About     string // what the metric is
	Threshold string
	Found     []foundCell
	Notes     []string
}

// foundCell is what one profile showed.
type foundCell struct {
	Profile string // empty where there is just one
	Verdict report.Verdict
	Value   string
	Why     string
}

// notTheSLO is said of every threshold that looks like an official SLO and is
// held against less than its 5 minutes.
const notTheSLO = "not the 5-minute SLO"

func gateRows(r *report.Result) []gateRow {
	rows := make([]gateRow, 0, len(r.Gates))
	for _, g := range r.Gates {
		row := gateRow{
			Verdict: g.Verdict, What: capital(g.Subject()), Spec: g.Title, About: g.About,
			Threshold: threshold(g), Notes: gateNotes(r, g),
		}
		for _, res := range g.Results {
			cell := foundCell{Verdict: res.Verdict, Value: found(g, res)}
			cell.Why = why(cell.Value, res.Reason)
			if len(g.Results) > 1 || g.Compare != "" {
				cell.Profile = res.Profile
			}
			row.Found = append(row.Found, cell)
		}
		if len(row.Found) == 0 {
			row.Found = []foundCell{{Verdict: g.Verdict, Value: "n/a", Why: g.Reason}}
		}
		rows = append(rows, row)
	}
	return rows
}

// threshold is what had to hold.
func threshold(g report.Gate) string {
	if g.Compare != "" {
		return fmt.Sprintf("not worse than %s by more than %s", g.Compare, percent(g.Margin))
	}
	var parts []string
	if g.Min != nil {
		parts = append(parts, "at least "+report.Format(report.Number(*g.Min), g.Unit))
	}
	switch {
	case g.Max != nil && *g.Max == 0:
		parts = append(parts, "none")
	case g.Max != nil:
		parts = append(parts, "at most "+report.Format(report.Number(*g.Max), g.Unit))
	}
	return strings.Join(parts, " and ")
}

// found is the value that was held against the bound.
func found(g report.Gate, res report.Judged) string {
	if c := res.Comparison; c != nil {
		if !c.Ratio.Is() {
			return "no ratio"
		}
		short, _ := splitFinding(c.Text)
		return short
	}
	return report.FormatOf(g.Metric, res.Value, g.Unit)
}

// why is the reason without the value that it begins with, which stands beside
// it.
func why(value, reason string) string {
	rest, cut := strings.CutPrefix(reason, value)
	if !cut || rest == "" {
		return reason
	}
	rest = strings.TrimLeft(rest, ",; ")
	if inner, more, closed := strings.Cut(strings.TrimPrefix(rest, "("), ")"); closed && strings.HasPrefix(rest, "(") {
		rest = inner + more
	}
	return rest
}

// gateNotes are the gate's own note, and what its threshold must not be
// mistaken for.
func gateNotes(r *report.Result, g report.Gate) []string {
	var notes []string
	if g.Note != "" {
		notes = append(notes, g.Note)
	}
	if likeAnSLO(r, g) && !strings.Contains(g.Note, notTheSLO) {
		notes = append(notes, notTheSLO)
	}
	return notes
}

// likeAnSLO says whether a reader could take the gate for one of the official
// latency SLOs, which are defined over 5 minutes, though the phase is shorter.
func likeAnSLO(r *report.Result, g report.Gate) bool {
	return r.Run.ShortSteady && g.Compare == "" && g.Metric == "api.latency" && slices.Contains([]string{"p99", "p99.9"}, g.Stat)
}
