package report

import (
	"math"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
)

// maxBins bounds the points of a line, so that an hour's run draws as fast as
// a minute's.
const maxBins = 600

// grid divides a trial's time into bins of step, such that the instant zero
// (the first act, in a group of trials that have one) is a bin's edge, and all
// trials of a group have the same bins around it.
type grid struct {
	zero, step int64 // ns
	first, n   int   // the first bin's number relative to zero, and how many
}

// gridOf returns the grid of a span of times around zero.
func gridOf(from, to, zero int64) grid {
	const second = int64(1e9)
	span := max(to-from, 0)
	step := second * max(1, int64(math.Ceil(float64(span)/float64(maxBins*second))))
	first := floorDiv(from-zero, step)
	return grid{zero: zero, step: step, first: int(first), n: int(min(floorDiv(to-zero, step)-first+1, maxBins+2))}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// at returns the bin of an instant, which may lie outside the grid.
func (g grid) at(ns int64) int { return int(floorDiv(ns-g.zero, g.step)) - g.first }

// edge returns the bin's begin, in ns since the origin.
func (g grid) edge(bin int) int64 { return g.zero + int64(g.first+bin)*g.step }

// middle returns the bin's middle in seconds from zero.
func (g grid) middle(bin int) float64 {
	return (float64(g.first+bin) + 0.5) * float64(g.step) / 1e9
}

// overlaps calls use for the bins that [from, to) touches, with the length of
// the overlap; an instant touches one bin, with length 0.
func (g grid) overlaps(from, to int64, use func(bin int, ns int64)) {
	last := max(from, to-1)
	for b := max(0, g.at(from)); b < g.n && g.edge(b) <= last; b++ {
		use(b, max(0, min(to, g.edge(b+1))-max(from, g.edge(b))))
	}
}

// group of requests that a latency chart and a comparison look at.
type group int

const (
	mutating group = iota
	reading
	groups
)

func (g group) String() string { return [groups]string{"mutating", "read"}[g] }

// groupOf returns the group of a verb; ok is false for watches, whose length
// is no latency.
func groupOf(k rundir.Key) (group, bool) {
	switch {
	case k.Mutating():
		return mutating, true
	case k.Verb == "watch" || k.Verb == "connect" || k.Verb == "proxy":
		return 0, false
	default:
		return reading, true
	}
}

// timeBin is what the load did in one bin of the grid.
type timeBin struct {
	ok, failed float64
	hist       [groups]latency.Sketch
}

// chart adds a window to the bins: its counts in proportion to the overlap, its
// latencies to every bin that it fills by half, or that holds half of it.
func (t *trial) chart(w rundir.Window, bins []latency.Bin) {
	if t.bins == nil {
		t.bins = make([]timeBin, max(0, t.grid.n))
	}
	var failed uint64
	for _, n := range w.Errors {
		failed += n
	}
	g, timed := groupOf(w.Key)
	length := w.To - w.From
	t.grid.overlaps(w.From, w.To, func(b int, ns int64) {
		share := 1.0
		if length > 0 {
			share = float64(ns) / float64(length)
		}
		bin := &t.bins[b]
		bin.ok += share * float64(w.OK)
		bin.failed += share * float64(failed)
		if timed && 2*ns >= min(length, t.grid.step) {
			bin.hist[g].Add(bins)
		}
	})
}
