package render

import (
	"math"
	"slices"
	"strconv"

	"github.com/storm-harness/storm/report"
)

// liveGroup is what the page's script needs to draw a group's charts again, so
// that they can be zoomed and share a cursor. It holds the points that the
// drawing on the page has, and no others: with the script or without it a
// reader sees the same lines.
type liveGroup struct {
	From   float64     `json:"from"`
	To     float64     `json:"to"`
	X      []float64   `json:"x"` // all instants of the group's points, in order
	Rules  []float64   `json:"rules"`
	Bands  []liveBand  `json:"bands"`
	Panels []livePanel `json:"panels"`
}

type liveBand struct {
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	Sort  string  `json:"sort"`
	Label string  `json:"label"`
}

type livePanel struct {
	Unit  string     `json:"unit"`
	Log   bool       `json:"log,omitempty"`
	Lo    float64    `json:"lo"`
	Hi    float64    `json:"hi"`
	Ticks numbers    `json:"ticks"`
	Lines []liveLine `json:"lines"`
}

type liveLine struct {
	Class string        `json:"class"` // of the profile: its colour and dash
	Bold  bool          `json:"bold,omitempty"`
	Not   bool          `json:"not,omitempty"` // of an invalid trial
	Label string        `json:"label,omitempty"`
	Parts []liveStretch `json:"parts"`
}

// liveStretch is a part of a line without a gap: values from the instant At of
// X on, one at each, or where Step is there, so many further on.
type liveStretch struct {
	At   int     `json:"at"`
	Step []int   `json:"step,omitempty"`
	V    numbers `json:"v"`

	t []float64 // the instants, until X is known
}

// numbers are written with four digits, which is more than a pixel shows, so
// that a page of many thousand stays small.
type numbers []float64

// MarshalJSON implements json.Marshaler.
func (p numbers) MarshalJSON() ([]byte, error) {
	b := []byte{'['}
	for i, v := range p {
		if i > 0 {
			b = append(b, ',')
		}
		switch short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64); {
		case err != nil || math.IsNaN(v) || math.IsInf(v, 0):
			b = append(b, "null"...)
		case math.Abs(short) >= 1e-3 && math.Abs(short) < 1e7 || short == 0:
			b = strconv.AppendFloat(b, short, 'f', -1, 64)
		default:
			b = strconv.AppendFloat(b, short, 'e', -1, 64)
		}
	}
	return append(b, ']'), nil
}

// take adds a line's stretches of points.
func (p *livePanel) take(l panelLine, runs [][]int) {
	line := liveLine{Class: l.colour, Bold: l.bold, Not: !l.Valid, Label: l.says}
	for _, run := range runs {
		var s liveStretch
		for _, i := range run {
			s.t, s.V = append(s.t, l.T[i]), append(s.V, l.V[i].Float())
		}
		line.Parts = append(line.Parts, s)
	}
	p.Lines = append(p.Lines, line)
}

// liveOf puts a group's panels on one axis of instants.
func liveOf(g report.ChartGroup, panels []livePanel) liveGroup {
	out := liveGroup{From: g.From, To: g.To, X: []float64{}, Bands: []liveBand{}, Rules: []float64{}, Panels: panels}
	acts, number := actBands(g), 0
	for _, b := range g.Bands {
		if b.Sort == "phase" {
			if b.From > g.From {
				out.Rules = append(out.Rules, b.From)
			}
			continue
		}
		number++
		label := b.Name
		if acts > 2 {
			label = strconv.Itoa(number)
		}
		out.Bands = append(out.Bands, liveBand{b.From, b.To, b.Sort, label})
	}
	every := map[float64]struct{}{}
	out.each(func(s *liveStretch) {
		for _, t := range s.t {
			every[t] = struct{}{}
		}
	})
	for t := range every {
		out.X = append(out.X, t)
	}
	slices.Sort(out.X)
	out.each(func(s *liveStretch) { s.place(out.X) })
	return out
}

func (g *liveGroup) each(use func(*liveStretch)) {
	for _, p := range g.Panels {
		for _, l := range p.Lines {
			for i := range l.Parts {
				use(&l.Parts[i])
			}
		}
	}
}

// place turns instants into their numbers in x.
func (s *liveStretch) place(x []float64) {
	last, even := 0, true
	for i, t := range s.t {
		at, _ := slices.BinarySearch(x, t)
		if i == 0 {
			s.At = at
		} else {
			s.Step = append(s.Step, at-last)
			even = even && at-last == 1
		}
		last = at
	}
	if even {
		s.Step = nil
	}
}
