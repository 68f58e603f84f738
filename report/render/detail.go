package render

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// maxPage is the most that the page may weigh, in bytes.
const maxPage = 500_000

// detail is how much of a run the page shows. A run of ordinary size is shown
// with all of it; where that would weigh more than maxPage, the page is made
// again with less, and says what it left out.
type detail struct {
	share  float64 // of the rows that a list may have
	text   int     // bytes of one text
	points int     // of all charts together, about twenty bytes each
}

// Charts give way first: a line of a fifth of its points still shows every peak
// (thin.go), a list of half its rows does not show the others.
var details = []detail{
	{1, maxText, 16000},
	{1, maxText, 8000},
	{1, maxText, 5500},
	{1, maxText, 4000},
	{1, maxText, 3000},
	{1, maxText, 2000},
	{1, 500, 1500},
	{0.5, 300, 1500},
	{0.2, 160, 1000},
	{0.05, 80, 600},
}

// leastVerdict is the least that the texts of the verdict and of the gates may
// have, in bytes: they are what the page is for.
const leastVerdict = 600

// tame is the copy of r that a page of this detail is made of.
func (d detail) tame(r *report.Result) *report.Result {
	out := tame(r, d.text)
	told := tame(&report.Result{Headline: r.Headline, Gates: r.Gates}, max(d.text, leastVerdict))
	out.Headline, out.Gates = told.Headline, told.Gates
	return out
}

// of is the most rows of a list that may have n.
func (d detail) of(n int) int { return max(2, int(d.share*float64(n))) }

// shrink leaves of the lists that nothing else bounds what the page has room
// for: gates and comparisons by their weight, the rest from the beginning. It
// changes r, which is a copy, and says what it left out.
func (d detail) shrink(r *report.Result) []string {
	var said []string
	note := func(was, is int, one, which string) {
		if was > is {
			said = append(said, fmt.Sprintf("This page shows %s of %s%s; report.json has all.", unit.Grouped(is), unit.Count(was, one), which))
		}
	}
	gates := len(r.Gates)
	r.Gates = worstFirst(r.Gates, d.of(200))
	note(gates, len(r.Gates), "gate", ", the worst first")
	cut(&r.Comparisons, d.of(120), func(was, is int) { note(was, is, "comparison", "") })
	cut(&r.Recovery, d.of(200), func(was, is int) { note(was, is, "kind of recovery time", "") })
	cut(&r.Charts, d.of(24), func(was, is int) { note(was, is, "set of charts", "") })
	cut(&r.Profiles, d.of(100), func(was, is int) { note(was, is, "profile", "") })
	for _, list := range []*[]string{&r.Limits, &r.Headline, &r.Method.Text} {
		cut(list, d.of(40), nil)
	}
	cut(&r.Curves, d.of(80), nil)
	cut(&r.Heat, d.of(48), func(was, is int) { note(was, is, "heat map", "") })
	cut(&r.Shards, d.of(200), func(was, is int) { note(was, is, "row of shards", "") })
	cut(&r.Levels, d.of(200), func(was, is int) { note(was, is, "row of priority levels", "") })
	cut(&r.Scenario, d.of(600), func(was, is int) { note(was, is, "line of the scenario", "") })
	cut(&r.Workloads, d.of(100), nil)
	cut(&r.Timeline, d.of(200), nil)
	cut(&r.Provenance, d.of(200), nil)
	for i := range r.Charts {
		cut(&r.Charts[i].Bands, d.of(80), nil)
		cut(&r.Charts[i].Marks, d.of(600), nil)
	}
	for i := range r.Gates {
		r.Gates[i].Results = worstResults(r.Gates[i].Results, d.of(60))
	}
	return said
}

// worstFirst are at most n gates: all in the scenario's order, or the worst.
func worstFirst(gates []report.Gate, n int) []report.Gate {
	if len(gates) <= n {
		return gates
	}
	out := slices.Clone(gates)
	slices.SortStableFunc(out, func(a, b report.Gate) int { return cmp.Compare(weight(a.Verdict), weight(b.Verdict)) })
	return out[:n]
}

// worstResults are at most n profiles' results of a gate, in the same way.
func worstResults(results []report.Judged, n int) []report.Judged {
	if len(results) <= n {
		return results
	}
	out := slices.Clone(results)
	slices.SortStableFunc(out, func(a, b report.Judged) int { return cmp.Compare(weight(a.Verdict), weight(b.Verdict)) })
	return out[:n]
}

func cut[T any](list *[]T, n int, say func(was, is int)) {
	was := len(*list)
	if was <= n {
		return
	}
	*list = (*list)[:n]
	if say != nil {
		say(was, n)
	}
}

// weight orders gates by what a reader must not miss.
func weight(v report.Verdict) int {
	return slices.Index([]report.Verdict{report.Regressed, report.Invalid, report.Inconclusive, report.Improved, report.Pass, report.None}, v)
}
