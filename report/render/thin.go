package render

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/report"
)

// thin writes a line as the data of an SVG path.
func thin(l report.Line, x, y scale, budget int) string {
	return path(l, stretches(l, x, y, budget), x, y)
}

// path writes stretches of a line as the data of an SVG path.
func path(l report.Line, runs [][]int, x, y scale) string {
	var b strings.Builder
	for _, run := range runs {
		points(&b, l, run, x, y)
	}
	return b.String()
}

// stretches are the points of a line to draw, by the numbers of its values: one
// list for each part without a gap. A value that is missing breaks the line, unless the line has
// its values as far apart as that anyway, as what is scraped every few seconds
// has. Where a line has more points than the budget, each of budget/2 slices of
// the axis keeps its least and its greatest value, so that no peak is lost.
func stretches(l report.Line, x, y scale, budget int) [][]int {
	var there []int
	for i := range min(len(l.T), len(l.V)) {
		if l.V[i].Finite() && !math.IsInf(y.at(l.V[i].Float()), 0) {
			there = append(there, i)
		}
	}
	apart := spacing(l, there)
	var runs [][]int
	for from, i := 0, 1; i <= len(there); i++ {
		if i == len(there) || l.T[there[i]]-l.T[there[i-1]] > 2.5*apart {
			runs = append(runs, keep(l, there[from:i], x, budget))
			from = i
		}
	}
	return runs
}

// spacing is the median distance in time between neighbouring values.
func spacing(l report.Line, there []int) float64 {
	var d []float64
	for i := 1; i < len(there); i++ {
		d = append(d, l.T[there[i]]-l.T[there[i-1]])
	}
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[len(d)/2]
}

// keep chooses the indices to draw.
func keep(l report.Line, run []int, x scale, budget int) []int {
	if len(l.T) <= budget {
		return run
	}
	slots := max(1, budget/2)
	slot := func(i int) int { return int(clamp(x.at(l.T[i])) * float64(slots)) }
	var out []int
	for a := 0; a < len(run); {
		b, low, high := a, run[a], run[a]
		for ; b < len(run) && slot(run[b]) == slot(run[a]); b++ {
			if l.V[run[b]] < l.V[low] {
				low = run[b]
			}
			if l.V[run[b]] > l.V[high] {
				high = run[b]
			}
		}
		out = append(out, min(low, high))
		if low != high {
			out = append(out, max(low, high))
		}
		a = b
	}
	return out
}

// A line is drawn in a box of pathWidth × pathHeight, whatever its size on a
// screen: whole numbers are half a pixel high.
const (
	pathWidth  = 1000
	pathHeight = 2 * panelPlot
)

// points writes a stretch: where it begins, and from there on the way from each
// point to the next, which takes fewer digits. A lone point becomes a short dash,
// or it would not be seen.
func points(b *strings.Builder, l report.Line, at []int, x, y scale) {
	var px, py int
	for n, i := range at {
		nx, ny := int(math.Round(x.at(l.T[i])*pathWidth)), int(math.Round((1-clamp(y.at(l.V[i].Float())))*pathHeight))
		if n == 0 {
			fmt.Fprintf(b, "M%d %d", nx, ny)
		} else {
			way(b, n == 1, nx-px, ny-py)
		}
		px, py = nx, ny
	}
	if len(at) == 1 {
		way(b, true, 4, 0)
	}
}

// way writes how far it is to the next point. A minus sign needs no space before it.
func way(b *strings.Builder, first bool, dx, dy int) {
	switch {
	case first:
		b.WriteByte('l')
	case dx >= 0:
		b.WriteByte(' ')
	}
	b.WriteString(strconv.Itoa(dx))
	if dy >= 0 {
		b.WriteByte(' ')
	}
	b.WriteString(strconv.Itoa(dy))
}
