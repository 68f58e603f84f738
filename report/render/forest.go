package render

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// forest is the plot of all comparisons: a row each, on one axis of ratios.
type forest struct {
	Groups []forestGroup
	X      []xTick
	One    string // x of the ratio 1
}

type forestGroup struct {
	Title, About string
	Rows         []forestRow
}

type forestRow struct {
	Title, Profile, Base      string
	ProfileMedian, BaseMedian string
	Class                     string // the profile's colour
	Sense                     string // better, worse, unclear, none
	SenseText                 string
	Finding, Interval         string
	Used                      string
	Notes                     []string
	Aria                      string

	Zone         string // x of the margin zone; empty: no margin
	ZoneW        string
	Low, High    string // x of the interval's ends; empty: no interval
	Left, Right  bool   // the interval goes on beyond the axis
	At           string // x of the estimate; empty where there is none
	Hollow       bool   // the estimate has no interval
	Pairs        []pairDot
	Verdict      report.Verdict
	ShortVerdict string
}

// pairDot is one block's ratio.
type pairDot struct {
	X      string
	Y      int
	Beyond string // "left" or "right" of the axis
	Title  string
}

// forestOf prepares the plot; nil where there is nothing to compare.
func forestOf(r *report.Result) *forest {
	var judged []forestRow
	type from struct {
		c *report.Comparison
		v report.Verdict
	}
	var gates []from
	for gi := range r.Gates {
		for ri := range r.Gates[gi].Results {
			if res := &r.Gates[gi].Results[ri]; res.Comparison != nil {
				gates = append(gates, from{res.Comparison, res.Verdict})
			}
		}
	}
	if len(gates)+len(r.Comparisons) == 0 {
		return nil
	}
	var all []report.Comparison
	for _, g := range gates {
		all = append(all, *g.c)
	}
	all = append(all, r.Comparisons...)
	x, ticks := ratioAxis(all)
	f := &forest{One: percentOf(x.at(1))}
	for _, v := range ticks {
		f.X = append(f.X, xTickAt(x.at(v), digits(math.Round(v*100)/100)+"×"))
	}
	for _, g := range gates {
		row := forestRowOf(r, *g.c, x)
		row.Verdict, row.ShortVerdict = g.v, verdictSign(g.v)+" "+verdictWord(g.v)
		judged = append(judged, row)
	}
	if len(judged) > 0 {
		f.Groups = append(f.Groups, forestGroup{"Judged by a gate", "The pale zone is the margin, by which a ratio may be worse and still count as no real difference; an interval wholly on the better side of 1 is an improvement, however small.", judged})
	}
	for _, c := range r.Comparisons {
		title := groupTitle(c.Group)
		if n := len(f.Groups); n == 0 || f.Groups[n-1].Title != title {
			f.Groups = append(f.Groups, forestGroup{Title: title, About: "for information, without a verdict"})
		}
		g := &f.Groups[len(f.Groups)-1]
		g.Rows = append(g.Rows, forestRowOf(r, c, x))
	}
	return f
}

func groupTitle(group string) string {
	switch group {
	case "recovery":
		return "Recovery"
	case "latency":
		return "Latency"
	case "load":
		return "Load"
	case "server":
		return "What it cost the servers"
	case "":
		return "Other"
	}
	return capital(group)
}

// ratioAxis is a logarithmic axis around 1 that holds all intervals and nearly
// all pairs, but reaches at most from 1/16 to 16: what lies beyond is drawn as
// an arrow at its end.
func ratioAxis(all []report.Comparison) (scale, []float64) {
	reach := math.Log(1.3)
	take := func(n report.Number) {
		if v := n.Float(); n.Finite() && v > 0 {
			reach = math.Max(reach, math.Abs(math.Log(v))*1.08)
		}
	}
	var pairs []float64
	for _, c := range all {
		take(c.Ratio)
		for _, p := range c.Pairs {
			if v := p.Ratio.Float(); p.Dropped == "" && p.Ratio.Finite() && v > 0 {
				pairs = append(pairs, math.Abs(math.Log(v)))
			}
		}
		take(c.Low)
		take(c.High)
		if c.Margin > 0 {
			take(report.Number((1 + c.Margin) * 1.1))
		}
	}
	if len(pairs) > 0 {
		slices.Sort(pairs)
		reach = math.Max(reach, pairs[len(pairs)*85/100])
	}
	reach = math.Min(reach, math.Log(16))
	x := scale{lo: math.Exp(-reach), hi: math.Exp(reach), log: true}
	steps := []float64{1.1, 1.25}
	switch {
	case reach > math.Log(6):
		steps = []float64{2, 4, 8, 16}
	case reach > math.Log(2.6):
		steps = []float64{1.5, 2, 4}
	case reach > math.Log(1.6):
		steps = []float64{1.25, 1.5, 2}
	}
	ticks := []float64{1}
	for _, s := range steps {
		if math.Log(s) <= reach {
			ticks = append(ticks, s)
			ticks = append([]float64{1 / s}, ticks...)
		}
	}
	return x, ticks
}

func forestRowOf(r *report.Result, c report.Comparison, x scale) forestRow {
	row := forestRow{
		Title: capital(c.Title), Profile: c.Profile, Base: c.Base, Class: profileClass(r, c.Profile),
		ProfileMedian: report.FormatOf(c.Metric, c.ProfileMedian, c.Unit), BaseMedian: report.FormatOf(c.Metric, c.BaseMedian, c.Unit),
		Notes: c.Note,
	}
	row.Finding = capital(c.Text)
	if c.Ratio.Is() || c.Confidence > 0 {
		row.Finding, row.Interval = splitFinding(c.Text)
	}
	row.Sense, row.SenseText = sense(c)
	if c.Ratio.Is() && c.Confidence == 0 {
		row.Interval = "an estimate without an interval"
	}
	row.Used = fmt.Sprintf("%d of %s", c.Used, unit.Count(c.Planned, "block"))
	if c.Confidence > 0 && c.P.Is() && c.PFlip.Is() {
		row.Used += fmt.Sprintf("; p %.2g, sign flip %.2g", c.P.Float(), c.PFlip.Float())
	}
	if c.Margin > 0 {
		// What does not matter lies on the worse side alone.
		from, to := clamp(x.at(1)), clamp(x.at(1+c.Margin))
		if !c.Lower {
			from, to = clamp(x.at(1/(1+c.Margin))), clamp(x.at(1))
		}
		row.Zone, row.ZoneW = percentOf(from), percentOf(to-from)
	}
	if c.Confidence > 0 && c.Low.Is() && c.High.Is() {
		row.Low, row.Left = endAt(x, c.Low)
		row.High, row.Right = endAt(x, c.High)
	}
	if c.Ratio.Is() {
		row.At, _ = endAt(x, c.Ratio)
		row.Hollow = row.Low == "" || !c.Ratio.Finite() || c.Ratio == 0
	}
	for i, p := range c.Pairs {
		if p.Dropped != "" || !p.Ratio.Is() || len(row.Pairs) == maxDots {
			continue
		}
		at, beyond := endAt(x, p.Ratio)
		dot := pairDot{X: at, Y: 7 + (i%2)*20, Title: fmt.Sprintf("block %d: %s against %s", p.Block, report.FormatOf(c.Metric, p.Profile, c.Unit), report.FormatOf(c.Metric, p.Base, c.Unit))}
		if beyond {
			dot.Beyond = "left"
			if p.Ratio > 1 {
				dot.Beyond = "right"
			}
		}
		row.Pairs = append(row.Pairs, dot)
	}
	row.Aria = fmt.Sprintf("%s, %s against %s: %s", c.Title, c.Profile, c.Base, c.Text)
	return row
}

// endAt is the place of a ratio, and whether it lies beyond the axis.
func endAt(x scale, n report.Number) (string, bool) {
	at := x.at(n.Float())
	return percentOf(clamp(at)), at < 0 || at > 1
}

// splitFinding takes the bracketed interval off a comparison's text.
func splitFinding(text string) (finding, interval string) {
	text, _, _ = strings.Cut(text, " by the estimate of ")
	finding, interval, cut := strings.Cut(text, " (")
	if cut {
		interval = strings.TrimSuffix(interval, ")")
	}
	return capital(finding), interval
}

// sense says whether the interval as a whole is better or worse than no change.
func sense(c report.Comparison) (class, text string) {
	if c.Confidence == 0 || !c.Low.Is() || !c.High.Is() {
		return "none", ""
	}
	switch {
	case c.Low <= 1 && c.High >= 1:
		return "unclear", ""
	case (c.High < 1) == c.Lower:
		return "better", "better"
	default:
		return "worse", "worse"
	}
}
