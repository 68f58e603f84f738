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
	Live        liveGroup
	Common      *panel // any of them, for what all share; nil where there is none
}

// A line has at least and at most so many points; how many all have together
// is the page's detail.
const (
	leastPoints = 20
	mostPoints  = 240
)

// laneChart is the one that is not drawn: the lane shows each of its changes.
const laneChart = "leader.changes"

// drawing is what of a group's lines the page has room for.
type drawing struct {
	budget int  // points of a line
	trials bool // the lines of single trials, in the charts to look at first
	folded bool // and in those that are folded away
	panels int  // charts at most
}

// drawingOf shares the page's points out: first every line has its place, then
// the single trials of the charts that are folded away give way, then those of
// all charts.
func drawingOf(r *report.Result, d detail) drawing {
	var bold, thin, folded weights
	for _, g := range r.Charts {
		for _, c := range g.Chart {
			if c.Name == laneChart {
				continue
			}
			for _, l := range c.Lines {
				switch {
				case l.Median || g.Tour != "":
					bold = append(bold, len(l.T))
				case first(c.Name, ordinal.ReplaceAllString(l.Part, "")):
					thin = append(thin, len(l.T))
				default:
					folded = append(folded, len(l.T))
				}
			}
		}
	}
	out := drawing{panels: d.of(maxPanels)}
	lines := bold
	if all := slices.Concat(bold, thin, folded); all.at(mostPoints) <= d.points {
		out.folded, lines = true, slices.Concat(lines, folded)
	}
	if all := slices.Concat(bold, thin); all.at(leastPoints) <= d.points {
		out.trials, lines = true, slices.Concat(lines, thin)
	}
	for out.budget = mostPoints; out.budget > leastPoints && lines.at(out.budget) > d.points; {
		out.budget -= 4
	}
	return out
}

// weights are the points that lines have.
type weights []int

// at is how many points are drawn where each line may have so many.
func (w weights) at(budget int) int {
	n := 0
	for _, points := range w {
		n += min(points, budget)
	}
	return n
}

// timelines prepares all groups of charts within the page's budget.
func timelines(r *report.Result, d detail) []timeline {
	room := drawingOf(r, d)
	var out []timeline
	for _, g := range r.Charts {
		out = append(out, groupOf(r, g, room))
		out[len(out)-1].number(len(out) - 1)
	}
	return out
}

// number names the data of each panel: the group, and the panel's place in it;
// and what all of them share.
func (t *timeline) number(group int) {
	for i, p := range slices.Concat(pointers(t.Panels), pointers(t.More)) {
		p.Live, p.Backdrop = fmt.Sprintf("%d %d", group, i), fmt.Sprintf("backdrop-%d", group)
		if i == 0 {
			t.Common = p
		}
	}
}

func pointers(panels []panel) []*panel {
	out := make([]*panel, len(panels))
	for i := range panels {
		out[i] = &panels[i]
	}
	return out
}

func groupOf(r *report.Result, g report.ChartGroup, room drawing) timeline {
	t := timeline{Title: g.Title, Zero: g.Zero, Tour: g.Tour, Lane: laneOf(r, g)}
	if g.Tour == "" {
		t.Explain = "Each thin line is one trial; the bold line is the median of a profile's valid trials."
		if !room.trials {
			t.Explain = "The lines are the medians of each profile's valid trials; there are too many trials to draw each."
		}
		t.Explain += " Shaded: while a fault or an operation was in force. Thin rules: where a phase ends."
	} else {
		t.Explain = "Shaded: while a fault (warm) or an operation (cool) was in force; the numbers are those of the steps above. Thin rules: where a phase ends."
	}
	var live, more []livePanel
	for _, c := range g.Chart {
		if c.Name == laneChart {
			continue
		}
		for _, kind := range partKinds(c) {
			if len(live)+len(more) == room.panels {
				break
			}
			front := first(c.Name, kind)
			title := c.Title
			if kind != "" {
				title += ": " + kind
			}
			p, l := timePanel(g, title, c.Unit, c.Log, linesOf(r, g, c, kind, front && !room.trials || !front && !room.folded), room.budget)
			if front {
				t.Panels, live = append(t.Panels, p), append(live, l)
			} else {
				t.More, more = append(t.More, p), append(more, l)
			}
		}
	}
	t.Live = liveOf(g, append(live, more...))
	t.MoreText = fmt.Sprintf("%s: memory and processor time of the other components, and storm's own", unit.Count(len(t.More), "more chart"))
	if g.Tour == "" && !room.folded {
		t.MoreText += "; medians only"
	}
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
		pl := panelLine{Line: l, class: profileClass(r, l.Profile), colour: profileClass(r, l.Profile), bold: bold}
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
		switch {
		case a.bold == b.bold:
			return 0
		case b.bold:
			return -1
		}
		return 1
	})
	return out
}

// labelLines names the bold lines: in a comparison by profile, once each; in a
// tour by component, where there are several.
func labelLines(lines []panelLine, parts, tour bool) {
	named := map[string]bool{}
	for i := range lines {
		l := &lines[i]
		if !l.bold {
			continue
		}
		label, part := l.Profile, ""
		if parts {
			part = "no. " + strings.TrimPrefix(ordinal.FindString(l.Part), "-")
		}
		if tour {
			label = part
		}
		l.says = label
		if parts && !tour {
			l.says += " " + part
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
