package render

import (
	"fmt"
	"math"
	"slices"

	"github.com/storm-harness/storm/report"
)

// latencyGroup is the latency of one series of requests, by phase and profile.
type latencyGroup struct {
	Tour  string
	Title string
	Rows  []latencyRow
}

type latencyRow struct {
	report.Latency
	Class string
	Doubt string // the interval of the p99, or why there is none
}

// judgedPhases leaves out the phases that no gate looks at.
func judgedPhases(rows []report.Latency) []report.Latency {
	return slices.DeleteFunc(slices.Clone(rows), func(l report.Latency) bool {
		return l.Phase == "warmup" || l.Phase == "cooldown"
	})
}

// latencyGroups are the rows of the latency table by series.
func latencyGroups(r *report.Result, rows []report.Latency) []latencyGroup {
	var out []latencyGroup
	for _, l := range rows {
		title := l.Workload + ": " + l.Verb + " " + l.Resource
		if l.Detail != "" {
			title += ", " + l.Detail
		}
		if l.Scope != "" {
			title += ", " + l.Scope + " scope"
		}
		if l.Via == "etcd" {
			title += ", at etcd"
		}
		i := slices.IndexFunc(out, func(g latencyGroup) bool { return g.Tour == l.Tour && g.Title == title })
		if i < 0 {
			out = append(out, latencyGroup{Tour: l.Tour, Title: title})
			i = len(out) - 1
		}
		row := latencyRow{Latency: l, Class: profileClass(r, l.Profile)}
		if l.P99Needs != "" {
			row.Doubt = "needs " + l.P99Needs
		} else {
			row.Doubt = fmt.Sprintf("%s to %s (%s)", latency(l.P99Low), latency(l.P99High), percent(l.P99Confidence))
		}
		out[i].Rows = append(out[i].Rows, row)
	}
	return out
}

// percentilePanels draws the percentile curves, a panel for each group of
// requests; the axis is even in the number of nines.
func percentilePanels(r *report.Result) []panel {
	var groups []string
	for _, c := range r.Curves {
		if !slices.Contains(groups, c.Group) {
			groups = append(groups, c.Group)
		}
	}
	var out []panel
	for _, group := range groups {
		var lines []panelLine
		for _, c := range r.Curves {
			if c.Group != group || len(c.Q) == 0 {
				continue
			}
			l := panelLine{class: profileClass(r, c.Profile) + " bold", label: c.Profile}
			for i, q := range c.Q {
				if q < 1 && i < len(c.Seconds) {
					l.T, l.V = append(l.T, nines(q)), append(l.V, c.Seconds[i])
				}
			}
			lines = append(lines, l)
		}
		if p, ok := percentilePanel(group, lines); ok {
			out = append(out, p)
		}
	}
	return out
}

// nines is 1 for 90 %, 2 for 99 %.
func nines(q float64) float64 { return -math.Log10(1 - q) }

func percentilePanel(group string, lines []panelLine) (panel, bool) {
	var far float64
	for _, l := range lines {
		for _, t := range l.T {
			far = max(far, t)
		}
	}
	if far == 0 {
		return panel{}, false
	}
	p := panel{Title: "Latency of " + group + " requests by percentile", Note: "logarithmic", Height: panelHeight, Base: panelTop + panelPlot}
	y, ticks := valueAxis(lines, "seconds", true)
	p.yTicks(y, ticks, "seconds")
	x := scale{lo: 0, hi: far}
	for _, q := range []struct {
		at    float64
		label string
	}{{0.5, "50 %"}, {0.9, "90 %"}, {0.99, "99 %"}, {0.999, "99.9 %"}, {0.9999, "99.99 %"}} {
		if at := x.at(nines(q.at)); at <= 1+1e-9 {
			p.X = append(p.X, xTickAt(at, q.label))
		}
	}
	for _, l := range lines {
		// One stretch: between two percentiles nothing is missing, however far
		// they are apart.
		var all []int
		for i, v := range l.V {
			if v.Finite() && v > 0 {
				all = append(all, i)
			}
		}
		if len(all) > 0 {
			p.Curves = append(p.Curves, curve{Class: l.class, Path: path(l.Line, [][]int{all}, x, y)})
		}
	}
	p.labelEnds(lines, y)
	p.Aria = describePanel(p.Title, "seconds", lines)
	return p, true
}
