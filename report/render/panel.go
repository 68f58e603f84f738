package render

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/storm-harness/storm/report"
)

// The heights of a panel's parts, in pixels: room for the bands' labels, the
// curves, and the labels of the time axis. Widths are shares, so that a panel
// fills any screen while its text keeps its size.
const (
	panelTop    = 18
	panelPlot   = 118
	panelBottom = 20
	panelHeight = panelTop + panelPlot + panelBottom
)

// panel is a chart of values over an axis, ready to be drawn.
type panel struct {
	Title, Note string
	Aria        string
	Height      int
	Base        int // y of the axis
	Y           []yTick
	X           []xTick
	Bands       []panelBand
	Rules       []string // x of the phases' borders
	Curves      []curve
	Ends        []endLabel
	EndsWidth   int
	Live        string // names the data that the script draws it from; empty: none
	Backdrop    string // the id of what its group's panels share: bands, rules and the axis of time; empty: it has its own
}

type yTick struct {
	Y, TextY int
	Label    string
}

type xTick struct{ X, Label, Anchor string }

// panelBand is a fault or an operation in force.
type panelBand struct {
	X, W, Sort           string
	Label, LabelX, Align string // no label where it would lie on another
}

// curve is a line; its Path lies in a box of pathWidth × pathHeight.
type curve struct{ Class, Path string }

// endLabel names a curve at its right end.
type endLabel struct {
	Y     int
	Class string
	Label string
}

// panelLine is a line to draw, with its class, the label at its end, and what
// it is called where each is named.
type panelLine struct {
	report.Line
	class, colour, label, says string
	bold                       bool
}

// timePanel draws lines over the time axis of a group, and returns what the
// script needs to draw them again.
func timePanel(g report.ChartGroup, title, unit string, log bool, lines []panelLine, budget int) (panel, livePanel) {
	p := panel{Title: title, Height: panelHeight, Base: panelTop + panelPlot}
	y, ticks := valueAxis(lines, unit, log)
	if y.log {
		p.Note = "logarithmic"
	}
	p.yTicks(y, ticks, unit)
	x := scale{lo: g.From, hi: g.To}
	for _, v := range inside(g.From, g.To, 6) {
		p.X = append(p.X, xTickAt(x.at(v), axisTime(v)))
	}
	p.bands(g, x)
	live := livePanel{Unit: unit, Log: y.log, Lo: y.lo, Hi: y.hi, Ticks: ticks, Lines: []liveLine{}}
	for _, l := range lines {
		if runs := stretches(l.Line, x, y, budget); len(runs) > 0 {
			p.Curves = append(p.Curves, curve{Class: l.class, Path: path(l.Line, runs, x, y)})
			live.take(l, runs)
		}
	}
	p.labelEnds(lines, y)
	p.Aria = describePanel(title, unit, lines)
	return p, live
}

// valueAxis is the axis that holds all finite values of the lines.
func valueAxis(lines []panelLine, unit string, log bool) (scale, []float64) {
	var lo, hi, least float64
	for _, l := range lines {
		for _, v := range l.V {
			if !v.Finite() {
				continue
			}
			f := v.Float()
			lo, hi = min(lo, f), max(hi, f)
			if f > 0 && (least == 0 || f < least) {
				least = f
			}
		}
	}
	if log && least > 0 {
		return logarithmic(least, hi)
	}
	return linear(lo, hi, unit, 3)
}

func (p *panel) yTicks(y scale, ticks []float64, unit string) {
	room := len(ticks) > 5 // then every second one is named
	for i, v := range ticks {
		at := panelY(y.at(v))
		t := yTick{Y: at, TextY: at + 4}
		if !room || i%2 == 0 {
			t.Label = axisValue(v, unit)
		}
		p.Y = append(p.Y, t)
	}
}

// panelY is the pixel row of a share of the value axis.
func panelY(share float64) int {
	return panelTop + int((1-share)*panelPlot+0.5)
}

func xTickAt(share float64, label string) xTick {
	t := xTick{X: percentOf(share), Label: label, Anchor: "middle"}
	if share < 0.02 {
		t.Anchor = "start"
	}
	if share > 0.97 {
		t.Anchor = "end"
	}
	return t
}

// bands shades the faults and operations and rules the phases' borders. A label
// is left out where it would lie on the one before it.
func (p *panel) bands(g report.ChartGroup, x scale) {
	number, free := 0, 0.0
	last, lastFrom, lastNumber := -1, 0.0, 0 // the label before
	acts := actBands(g)
	for _, b := range g.Bands {
		from, to := clamp(x.at(b.From)), clamp(x.at(b.To))
		if b.Sort == "phase" {
			if from > 0 {
				p.Rules = append(p.Rules, percentOf(from))
			}
			continue
		}
		number++
		band := panelBand{X: percentOf(from), W: percentOf(max(to-from, 0.004)), Sort: b.Sort}
		label := b.Name
		if acts > 2 {
			label = fmt.Sprint(number)
		}
		wide := 0.022 * float64(columns(label)) // of a panel of 330 pixels, the narrowest
		switch {
		case from < free && acts > 2 && last >= 0: // one label for several: 2–4
			p.Bands[last].Label = fmt.Sprintf("%d–%d", lastNumber, number)
			free = max(free, lastFrom+wide*3)
		case from < free:
		case from+wide > 1:
			if to-wide >= free {
				band.Label, band.LabelX, band.Align = label, percentOf(min(1, max(to, wide))), "end"
				free = 1
			}
		default:
			band.Label, band.LabelX, band.Align = label, percentOf(from), "start"
			free = from + wide
			last, lastFrom, lastNumber = len(p.Bands), from, number
		}
		p.Bands = append(p.Bands, band)
	}
}

// actBands counts the bands that are no phases.
func actBands(g report.ChartGroup) (n int) {
	for _, b := range g.Bands {
		if b.Sort != "phase" {
			n++
		}
	}
	return n
}

func clamp(share float64) float64 { return min(1, max(0, share)) }

// maxEnd is the longest label at the right end, in characters.
const maxEnd = 16

// shorten cuts a name that is longer than n characters.
func shorten(s string, n int) string {
	if columns(s) <= n {
		return s
	}
	head, _ := cutAt(s, n-1)
	return head + "…"
}

// endGap is the least distance of two labels at the right end, in pixels.
const endGap = 14

// labelEnds names each curve at the height of its last value, and moves labels
// apart that would lie on each other.
func (p *panel) labelEnds(lines []panelLine, y scale) {
	for _, l := range lines {
		if l.label == "" {
			continue
		}
		for _, v := range slices.Backward(l.V) {
			if v.Finite() && y.at(v.Float()) >= 0 {
				p.Ends = append(p.Ends, endLabel{Y: panelY(clamp(y.at(v.Float()))), Class: l.class, Label: l.label})
				break
			}
		}
	}
	for i := range p.Ends {
		e := &p.Ends[i]
		e.Label = shorten(e.Label, maxEnd)
		p.EndsWidth = max(p.EndsWidth, 10+columns(e.Label)*15/2)
	}
	spread(p.Ends, panelTop+4, panelTop+panelPlot)
}

// spread moves labels apart, as little as keeps their order.
func spread(labels []endLabel, top, bottom int) {
	slices.SortStableFunc(labels, func(a, b endLabel) int { return cmp.Compare(a.Y, b.Y) })
	floor := top
	for i := range labels {
		labels[i].Y = max(labels[i].Y, floor)
		floor = labels[i].Y + endGap
	}
	ceiling := bottom
	for i := len(labels) - 1; i >= 0; i-- {
		labels[i].Y = min(labels[i].Y, ceiling)
		ceiling = labels[i].Y - endGap
	}
}

// describePanel says a chart's range for those who do not see it.
func describePanel(title, unit string, lines []panelLine) string {
	s := title + "."
	for _, l := range lines {
		if l.label == "" {
			continue
		}
		lo, hi := report.Missing(), report.Missing()
		for _, v := range l.V {
			if !v.Finite() {
				continue
			}
			if !lo.Is() || v < lo {
				lo = v
			}
			if !hi.Is() || v > hi {
				hi = v
			}
		}
		if lo.Is() {
			s += fmt.Sprintf(" %s: from %s to %s.", l.label, report.Format(lo, unit), report.Format(hi, unit))
		}
	}
	return s
}
