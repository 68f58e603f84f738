package render

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// timeline is a group of charts over one time axis.
type timeline struct {
	Title, Zero string
	Tour        string
	Explain     string
	Lane        lane
	Panels      []panel // what to look at first
	More        []panel // the rest, folded away
	MoreText    string
}

// The page holds at most so many points in all, about ten bytes each, so that
// it stays far below 500 KB however long the run was.
const (
	maxPoints   = 24000
	leastPoints = 24
	mostPoints  = 240
)

// timelines prepares all groups of charts within the page's budget.
func timelines(r *report.Result) []timeline {
	lines, medians := 0, 0
	for _, g := range r.Charts {
		for _, c := range g.Chart {
			lines += len(c.Lines)
			for _, l := range c.Lines {
				if l.Median || g.Tour != "" {
					medians++
				}
			}
		}
	}
	dropped := lines*leastPoints > maxPoints
	drawn := lines
	if dropped {
		drawn = medians
	}
	budget := min(mostPoints, max(leastPoints, maxPoints/max(1, drawn)))
	var out []timeline
	for _, g := range r.Charts {
		out = append(out, groupOf(r, g, budget, dropped))
	}
	return out
}

func groupOf(r *report.Result, g report.ChartGroup, budget int, dropped bool) timeline {
	t := timeline{Title: g.Title, Zero: g.Zero, Tour: g.Tour, Lane: laneOf(r, g)}
	if g.Tour == "" {
		t.Explain = "Each thin line is one trial; the bold line is the median of a profile's valid trials."
		if dropped {
			t.Explain = "The lines are the medians of each profile's valid trials; there are too many trials to draw each."
		}
		t.Explain += " Shaded: while a fault or an operation was in force. Thin rules: where a phase ends."
	} else {
		t.Explain = "Shaded: while a fault (warm) or an operation (cool) was in force; the numbers are those of the steps above. Thin rules: where a phase ends."
	}
	for _, c := range g.Chart {
		if c.Name == "leader.changes" { // the lane shows each of them
			continue
		}
		for _, kind := range partKinds(c) {
			title := c.Title
			if kind != "" {
				title += ": " + kind
			}
			p := timePanel(g, title, c.Unit, c.Log, linesOf(r, g, c, kind, dropped), budget)
			if first(c.Name, kind) {
				t.Panels = append(t.Panels, p)
			} else {
				t.More = append(t.More, p)
			}
		}
	}
	t.MoreText = fmt.Sprintf("%s: memory and processor time of the other components, and storm's own", unit.Count(len(t.More), "more chart"))
	return t
}

// first says whether a chart is among those to look at first.
func first(name, kind string) bool {
	switch name {
	case "memory":
		return kind == "kube-apiserver" || kind == "etcd-main"
	case "cpu":
		return false
	case "etcd.dbsize":
		return kind == "etcd-main"
	}
	return true
}

// ordinal is the number at the end of a component's name.
var ordinal = regexp.MustCompile(`-\d+$`)

// partKinds are the kinds of component that a chart has lines of, each drawn in
// a panel of its own; one empty kind where there are no parts.
func partKinds(c report.Chart) []string {
	var kinds []string
	for _, l := range c.Lines {
		if k := ordinal.ReplaceAllString(l.Part, ""); !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	rank := func(k string) int {
		switch {
		case k == "kube-apiserver":
			return 0
		case k == "etcd-main":
			return 1
		case strings.HasPrefix(k, "etcd"):
			return 2
		case k == "storm":
			return 4
		}
		return 3
	}
	slices.SortFunc(kinds, func(a, b string) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a, b))
	})
	return kinds
}

// linesOf are the lines of one panel, thin ones first so that medians lie over
// them, with their classes and labels.
func linesOf(r *report.Result, g report.ChartGroup, c report.Chart, kind string, dropped bool) []panelLine {
	solo := map[string]bool{} // profiles without a median: their one trial is drawn bold
	for _, l := range c.Lines {
		if _, seen := solo[l.Profile]; !seen || l.Median {
			solo[l.Profile] = !l.Median
		}
	}
	var out []panelLine
	parts := map[string]bool{}
	for _, l := range c.Lines {
		if ordinal.ReplaceAllString(l.Part, "") != kind {
			continue
		}
		bold := l.Median || solo[l.Profile]
		if !bold && dropped {
			continue
		}
		parts[l.Part] = true
		pl := panelLine{Line: l, class: profileClass(r, l.Profile)}
		switch {
		case bold:
			pl.class += " bold"
		case !l.Valid:
			pl.class += " invalid"
		default:
			pl.class += " thin"
		}
		out = append(out, pl)
	}
	labelLines(out, len(parts) > 1, g.Tour != "")
	slices.SortStableFunc(out, func(a, b panelLine) int {
		return cmp.Compare(boldness(a.class), boldness(b.class))
	})
	return out
}

func boldness(class string) int {
	if strings.HasSuffix(class, " bold") {
		return 1
	}
	return 0
}

// labelLines names the bold lines: in a comparison by profile, once each; in a
// tour by component, where there are several.
func labelLines(lines []panelLine, parts, tour bool) {
	named := map[string]bool{}
	for i := range lines {
		l := &lines[i]
		if boldness(l.class) == 0 {
			continue
		}
		label := l.Profile
		if tour {
			label = ""
			if parts {
				label = "no. " + strings.TrimPrefix(ordinal.FindString(l.Part), "-")
			}
		}
		if label == "" || named[label] {
			continue
		}
		named[label] = true
		l.label = label
	}
}

// profileClass is the CSS class of a profile's colour and dash.
func profileClass(r *report.Result, name string) string {
	for i, p := range r.Profiles {
		if p.Name == name {
			return fmt.Sprintf("p%d", i%6)
		}
	}
	return "p5"
}

// lane shows what was done when, over the time axis of a group of charts.
type lane struct {
	Rows []laneRow
	X    []xTick
}

type laneRow struct {
	Number string
	Label  string
	Bars   []laneBar
	Dots   []laneDot
}

type laneBar struct {
	X, W, Class        string
	Text, TextX, Align string
	Inside             bool // the text lies on the bar
	Tight              bool // a narrow screen has no room for the text
}

type laneDot struct{ X, Class, Title string }

// laneOf prepares the rows: phases, every act, and the events that were seen.
func laneOf(r *report.Result, g report.ChartGroup) lane {
	x := scale{lo: g.From, hi: g.To}
	var l lane
	phases := laneRow{Label: "phase"}
	number := 0
	for _, b := range g.Bands {
		from, to := clamp(x.at(b.From)), clamp(x.at(b.To))
		bar := laneBar{X: percentOf(from), W: percentOf(max(to-from, 0.003)), Class: b.Sort}
		if b.Sort == "phase" {
			bar.Class = "phase " + phaseClass(b.Name)
			if to-from >= 0.018*float64(columns(b.Name)+1) {
				bar.Text, bar.TextX, bar.Align, bar.Inside = b.Name, percentOf((from+to)/2), "middle", true
				bar.Tight = to-from < 0.028*float64(columns(b.Name)+1)
			}
			phases.Bars = append(phases.Bars, bar)
			continue
		}
		number++
		bar.Text = seconds(report.Number(b.To - b.From))
		if to < 0.85 {
			bar.TextX, bar.Align = percentOf(to), "start"
		} else {
			bar.TextX, bar.Align = percentOf(from), "end"
		}
		if from < 0.15 && to >= 0.85 {
			bar.TextX, bar.Align, bar.Inside = percentOf((from+to)/2), "middle", true
		}
		l.Rows = append(l.Rows, laneRow{Number: fmt.Sprint(number), Label: b.Name, Bars: []laneBar{bar}})
	}
	if len(l.Rows) <= 2 { // then the charts have room for the names
		for i := range l.Rows {
			l.Rows[i].Number = ""
		}
	}
	if len(phases.Bars) > 0 {
		l.Rows = append([]laneRow{phases}, l.Rows...)
	}
	for _, k := range []struct{ kind, label string }{
		{rundir.EventLeaderChange, "new leader"}, {rundir.EventAlarm, "alarm"}, {rundir.EventExit, "died unasked"},
	} {
		row := laneRow{Label: k.label}
		for _, m := range g.Marks {
			if at := x.at(m.At); m.Kind == k.kind && at >= 0 && at <= 1 {
				row.Dots = append(row.Dots, laneDot{percentOf(at), profileClass(r, m.Profile), fmt.Sprintf("%s, %s: %s %s", m.Trial, seconds(report.Number(m.At)), m.Subject, m.Text)})
			}
		}
		if len(row.Dots) > 0 {
			l.Rows = append(l.Rows, row)
		}
	}
	for _, v := range inside(g.From, g.To, 6) {
		l.X = append(l.X, xTickAt(x.at(v), axisTime(v)))
	}
	return l
}

// phaseClass keeps what becomes a class to the words we know.
func phaseClass(name string) string {
	if slices.Contains([]string{"warmup", "steady", "fault", "recovery", "cooldown", "operation"}, name) {
		return name
	}
	return "other"
}
