package render

import (
	"fmt"
	"strings"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// strips are the recovery times of single trials on one axis: a strip for each
// kind of recovery and profile.
type strips struct {
	Groups []stripGroup
	X      []xTick
}

type stripGroup struct {
	After, About string
	Rows         []strip
}

type strip struct {
	What, Profile, Class string
	First                bool // of its kind: it carries the name
	Dots                 []stripDot
	Median               string // x; empty where there is none
	MedianText           string
	Censored             string
	None                 bool // no probe failed: there is no time to draw
	Aria                 string
}

type stripDot struct {
	X        string
	Y        int
	Censored bool
	Invalid  bool
	Title    string
}

// stripsOf prepares the plot of the block trials; tours tell their times in
// their story. Nil where there is nothing to draw.
func stripsOf(r *report.Result) *strips {
	var hi float64
	for _, g := range r.Recovery {
		if g.Tour != "" || unharmed(g) {
			continue
		}
		for _, p := range g.Points {
			switch {
			case p.Censored && p.Seen.Finite():
				hi = max(hi, p.Seen.Float())
			case p.RTO.Finite():
				hi = max(hi, p.RTO.Float())
			}
		}
	}
	x, ticks := linear(0, hi*1.02, "seconds", 5)
	s := &strips{}
	for _, v := range ticks {
		s.X = append(s.X, xTickAt(x.at(v), axisValue(v, "seconds")))
	}
	for _, row := range recoveryRows(r) {
		if row.Tour != "" {
			continue
		}
		if n := len(s.Groups); n == 0 || s.Groups[n-1].After != row.Act {
			s.Groups = append(s.Groups, stripGroup{After: row.Act})
		}
		g := &s.Groups[len(s.Groups)-1]
		for i, cell := range row.Cells {
			g.Rows = append(g.Rows, stripOf(r, row, cell, x, i == 0))
		}
	}
	if len(s.Groups) == 0 {
		return nil
	}
	return s
}

func stripOf(r *report.Result, row recoveryRow, g report.RecoveryGroup, x scale, first bool) strip {
	s := strip{What: row.What(), Profile: g.Profile, Class: profileClass(r, g.Profile), First: first, MedianText: recovered(g, g.Median)}
	if g.Median.Finite() {
		s.Median = percentOf(clamp(x.at(g.Median.Float())))
	}
	if g.Censored > 0 {
		s.Censored = fmt.Sprintf("%d of %d not recovered", g.Censored, g.Trials)
	}
	if g.Unwell > 0 {
		s.Censored = strings.TrimPrefix(fmt.Sprintf("%s; in %d more other parts did not recover", s.Censored, g.Unwell), "; ")
	}
	if unharmed(g) {
		s.Median, s.None = "", true
		s.Aria = fmt.Sprintf("%s with %s: no probe failed in %s", s.What, g.Profile, unit.Count(g.Trials, "trial"))
		return s
	}
	for i, p := range g.Points {
		if i == maxDots {
			break
		}
		dot := stripDot{Y: 9 + i%3*4, Censored: p.Censored, Invalid: !p.Valid}
		at := p.RTO
		dot.Title = fmt.Sprintf("%s: %s", p.Trial, seconds(p.RTO))
		if p.Censored {
			at = p.Seen
			dot.Title = fmt.Sprintf("%s: not recovered within %s", p.Trial, seconds(p.Seen))
		}
		if !at.Finite() {
			continue
		}
		switch {
		case p.Unwell:
			dot.Title += ", but other parts did not recover"
		case !p.Valid:
			dot.Title += ", invalid trial"
		}
		dot.X = percentOf(clamp(x.at(at.Float())))
		s.Dots = append(s.Dots, dot)
	}
	s.Aria = fmt.Sprintf("%s with %s: median %s, best %s, worst %s, %s", s.What, g.Profile, recovered(g, g.Median), seconds(g.Best), recovered(g, g.Worst), unit.Count(g.Trials, "trial"))
	return s
}
