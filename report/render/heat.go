package render

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// heatPanel is how the latencies of a group of requests were spread over time:
// each cell is a stretch of time and of latency, the darker the more requests.
// Only its darkness tells, so that it reads in any colour.
type heatPanel struct {
	Title   string
	Profile string
	Class   string
	Aria    string
	Height  int
	Base    int
	Y       []yTick
	X       []xTick
	Shades  []heatShade
	Rules   []string // x of the faults' begins
	Columns int
	Rows    int
}

// heatShade are the cells of one darkness, as the data of an SVG path in a box
// of Columns × Rows.
type heatShade struct {
	Class string
	Path  string
}

// heatShades is how many there are. They are even in the logarithm of the share
// that a cell has of its column's requests: the tail, which matters, is little.
const heatShades = 5

// heatPanels draws the heat maps; those of a group share the axis of latency.
func heatPanels(r *report.Result) []heatPanel {
	lo, hi := map[string]float64{}, map[string]float64{}
	for _, m := range r.Heat {
		if n := len(m.Edges); n > 1 && m.Edges[0] > 0 {
			if l, ok := lo[m.Group]; !ok || m.Edges[0] < l {
				lo[m.Group] = m.Edges[0]
			}
			hi[m.Group] = max(hi[m.Group], m.Edges[n-1])
		}
	}
	var from, to float64
	var acts []report.Band
	for _, g := range r.Charts {
		if g.Tour == "" {
			from, to = g.From, g.To
			for _, b := range g.Bands {
				if b.Sort != "phase" {
					acts = append(acts, b)
				}
			}
		}
	}
	var out []heatPanel
	for _, m := range r.Heat {
		if p, ok := heatPanelOf(m, lo[m.Group], hi[m.Group]); ok {
			p.Class = profileClass(r, m.Profile)
			for _, b := range acts {
				if at := heatTime(m).at(b.From); at > 0 && at < 1 && to > from {
					p.Rules = append(p.Rules, percentOf(at))
				}
			}
			out = append(out, p)
		}
	}
	return out
}

// heatTime is a map's axis of time.
func heatTime(m report.HeatMap) scale {
	return scale{lo: m.From, hi: m.From + m.Step*float64(len(m.Counts))}
}

func heatPanelOf(m report.HeatMap, lo, hi float64) (heatPanel, bool) {
	rows := len(m.Edges) - 1
	if rows < 1 || len(m.Counts) == 0 || lo <= 0 || hi <= lo || m.Step <= 0 {
		return heatPanel{}, false
	}
	y := scale{lo: lo, hi: hi, log: true}
	p := heatPanel{
		Title: "Latency of " + m.Group + " requests", Profile: m.Profile,
		Height: panelHeight, Base: panelTop + panelPlot, Columns: len(m.Counts), Rows: panelPlot,
	}
	_, ticks := logarithmic(lo, hi)
	room := len(ticks) > 6
	for i, v := range ticks {
		if at := y.at(v); at >= -1e-9 && at <= 1+1e-9 {
			t := yTick{Y: panelY(at), TextY: panelY(at) + 4}
			if !room || i%2 == 0 {
				t.Label = axisValue(v, "seconds")
			}
			p.Y = append(p.Y, t)
		}
	}
	x := heatTime(m)
	for _, v := range inside(x.lo, x.hi, 6) {
		p.X = append(p.X, xTickAt(x.at(v), axisTime(v)))
	}
	paths := make([]strings.Builder, heatShades)
	var requests uint64
	for row := range rows {
		top, bottom := (1-y.at(m.Edges[row+1]))*panelPlot, (1-y.at(m.Edges[row]))*panelPlot
		for column := 0; column < len(m.Counts); {
			shade, n := heatShadeOf(m, column, row)
			end := column + 1
			requests += n
			for end < len(m.Counts) {
				next, k := heatShadeOf(m, end, row)
				if next != shade {
					break
				}
				requests += k
				end++
			}
			if shade >= 0 {
				b := &paths[shade]
				fmt.Fprintf(b, "M%d,%sh%dv%sh-%dz", column, tenth(top), end-column, tenth(bottom-top), end-column)
			}
			column = end
		}
	}
	for i := range paths {
		if paths[i].Len() > 0 {
			p.Shades = append(p.Shades, heatShade{"h" + strconv.Itoa(i+1), paths[i].String()})
		}
	}
	p.Aria = fmt.Sprintf("%s with %s, over time: %s between %s and %s.", p.Title, m.Profile, unit.Count(requests, "request"), seconds(report.Number(m.Edges[0])), seconds(report.Number(m.Edges[rows])))
	return p, len(p.Shades) > 0
}

// heatShadeOf is a cell's darkness, -1 where it holds nothing, and its requests.
func heatShadeOf(m report.HeatMap, column, row int) (shade int, n uint64) {
	if row >= len(m.Counts[column]) || m.Counts[column][row] == 0 {
		return -1, 0
	}
	var all uint64
	for _, k := range m.Counts[column] {
		all += k
	}
	n = m.Counts[column][row]
	// A thousandth and less is the palest, a half and more the darkest.
	share := math.Log10(float64(n)/float64(all)) + 3
	return int(min(heatShades-1, max(0, share/2.7*heatShades))), n
}

func tenth(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }
