package render

import (
	"math"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/report"
)

// thin writes a line as the points of polylines, one for each stretch without a
// missing value. Where it has more points than the budget, each of budget/2
// slices of the axis keeps its least and its greatest value, so that a peak is
// never lost.
func thin(l report.Line, x, y scale, budget int) []string {
	var out []string
	var run []int
	flush := func() {
		if len(run) > 0 {
			out = append(out, points(l, keep(l, run, x, budget), x, y))
		}
		run = run[:0]
	}
	for i := range l.T {
		if i >= len(l.V) || !l.V[i].Finite() || math.IsInf(y.at(l.V[i].Float()), 0) {
			flush()
			continue
		}
		run = append(run, i)
	}
	flush()
	return out
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

// points writes the points in a box of 1000 × panelPlot. A lone point becomes a
// short dash, or it would not be seen.
func points(l report.Line, at []int, x, y scale) string {
	var b strings.Builder
	for n, i := range at {
		px, py := x.at(l.T[i])*1000, (1-clamp(y.at(l.V[i].Float())))*panelPlot
		if n > 0 {
			b.WriteByte(' ')
		}
		writePoint(&b, px, py)
		if len(at) == 1 {
			b.WriteByte(' ')
			writePoint(&b, px+4, py)
		}
	}
	return b.String()
}

func writePoint(b *strings.Builder, x, y float64) {
	b.WriteString(strconv.FormatFloat(math.Round(x), 'f', -1, 64))
	b.WriteByte(',')
	b.WriteString(strconv.FormatFloat(math.Round(y*10)/10, 'f', -1, 64))
}
