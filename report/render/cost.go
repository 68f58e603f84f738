package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// costTable is what the loads cost in the block trials, or in a tour.
type costTable struct {
	Tour     string
	Rows     []costRow
	Requests []requestTable
}

// costRow is a figure, with a cell for each profile.
type costRow struct {
	What, Basis string
	Cells       []costCell
}

type costCell struct {
	Profile, Class string
	Value          string // "not measured" where it was not
	Range          string // over the trials, where there are several
	Trials         string
	Why            string // why it was not measured, in all or some trials
}

// requestTable is what a profile's API servers used their processor time for.
type requestTable struct {
	Profile, Class string
	Text           string // how it was inferred, or why it could not be
	Rows           []requestRow
	Loads          []loadRow
}

// loadRow is what one load asked for, and what that took.
type loadRow struct{ Load, Requests, Bytes, Writes, Written, Processors, Why, Interval, Share string }

type requestRow struct{ What, Loads, Rate, Each, Interval, Share string }

// costTables are the block trials', then each tour's.
func costTables(r *report.Result) []costTable {
	var out []costTable
	for _, c := range r.Costs {
		i := slices.IndexFunc(out, func(t costTable) bool { return t.Tour == c.Tour })
		if i < 0 {
			out = append(out, costTable{Tour: c.Tour})
			i = len(out) - 1
		}
		class := profileClass(r, c.Profile)
		for _, f := range c.Figures {
			out[i].add(f, costCellOf(f, c, class))
		}
		out[i].Requests = append(out[i].Requests, requestTableOf(c, class))
	}
	return out
}

func (t *costTable) add(f report.CostFigure, cell costCell) {
	i := slices.IndexFunc(t.Rows, func(r costRow) bool { return r.What == f.What })
	if i < 0 {
		t.Rows = append(t.Rows, costRow{What: f.What, Basis: f.Basis})
		i = len(t.Rows) - 1
	}
	t.Rows[i].Cells = append(t.Rows[i].Cells, cell)
}

func costCellOf(f report.CostFigure, c report.Cost, class string) costCell {
	out := costCell{Profile: c.Profile, Class: class, Value: "not measured", Why: f.Why, Trials: unit.Grouped(f.Trials)}
	if f.Trials < c.Trials {
		out.Trials = fmt.Sprintf("%s of %s", unit.Grouped(f.Trials), unit.Grouped(c.Trials))
	}
	if f.Median.Is() {
		out.Value = report.Format(f.Median, f.Unit)
	}
	if f.Trials > 1 {
		out.Range = report.Format(f.Low, f.Unit) + " to " + report.Format(f.High, f.Unit)
	}
	return out
}

func requestTableOf(c report.Cost, class string) requestTable {
	q := c.Requests
	out := requestTable{Profile: c.Profile, Class: class, Text: "Not measured: " + ended(q.Why)}
	if q.Why == "" {
		out.Text = fmt.Sprintf("Fitted to %s between scrapes; what the fit leaves unexplained is %s of the mean, its condition index %s.",
			unit.Count(q.Intervals, "interval"), report.Format(q.Residual, "fraction"), report.Format(q.Condition, "count"))
		if q.LeftOut != "" {
			out.Text += " Intervals of 95 % are from leaving out each of the " + q.LeftOut + " in turn."
		}
	}
	for _, k := range q.Kinds {
		out.Rows = append(out.Rows, requestRowOf(k, q.Why != ""))
	}
	for _, l := range c.Loads {
		out.Loads = append(out.Loads, loadRowOf(l, q.Why != ""))
	}
	return out
}

func loadRowOf(l report.LoadCost, unfitted bool) loadRow {
	out := loadRow{
		Load: l.Load, Requests: report.Format(l.Requests, "per second"), Bytes: report.Format(l.Bytes, "bytes") + "/s",
		Writes: report.Format(l.Writes, "per second"), Written: report.Format(l.Written, "fraction"),
		Processors: report.Format(l.Processors, "cores"), Share: report.Format(l.Share, "fraction"),
	}
	switch {
	case unfitted: // as the table above it says
		out.Processors, out.Share = "not measured", ""
	case !l.Processors.Is():
		out.Processors, out.Why, out.Share = "not measured", l.Why, ""
	case l.Processors == 0:
		out.Processors = "none found"
	case l.Low.Is():
		out.Interval = report.Format(l.Low, "cores") + " to " + report.Format(l.High, "cores")
	}
	if l.Processors.Is() {
		out.Why = l.Why
	}
	if !l.Written.Is() {
		out.Written = "not measured"
	}
	return out
}

func requestRowOf(k report.KindCost, unfitted bool) requestRow {
	out := requestRow{What: k.What, Loads: strings.Join(k.Loads, ", "), Rate: report.Format(k.Rate, "per second"), Each: seconds(k.Each), Share: report.Format(k.Share, "fraction")}
	if k.Low.Is() {
		out.Interval = seconds(k.Low) + " to " + seconds(k.High)
	}
	if k.Unit == "second" {
		out.Rate = ""
		out.Each += " a second"
	}
	switch {
	case unfitted:
		out.Each, out.Share = "not measured", ""
	case k.Each == 0:
		out.Each = "none found"
	case k.Together:
		out.Each, out.Share = "not separable", out.Share+" together"
	}
	return out
}

// costLine is the figures of the first profile that planning starts from, in a
// line; empty where none was measured.
func costLine(r *report.Result) string {
	if len(r.Costs) == 0 {
		return ""
	}
	c := r.Costs[0]
	var parts []string
	for _, want := range []struct{ name, text string }{
		{"apiserver.memory.perWatch", "%s of API server memory a watch"},
		{"apiserver.cpu.perRequest", "%s of its processor time a request"},
		{"etcd.bytes.perObject", "%s of etcd an object"},
	} {
		i := slices.IndexFunc(c.Figures, func(f report.CostFigure) bool {
			return f.Name == want.name && (f.Part == "" || f.Part == "main")
		})
		if i >= 0 && c.Figures[i].Median.Is() {
			parts = append(parts, fmt.Sprintf(want.text, report.Format(c.Figures[i].Median, c.Figures[i].Unit)))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf("Cost with %s: %s.", c.Profile, listed(parts))
}
