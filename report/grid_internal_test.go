package report

import (
	"math"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
)

// A window of ten seconds is spread over its seconds, and the grid's edges lie
// on the instant that the trials are aligned at.
func TestWindowsFallIntoBins(t *testing.T) {
	zero := 12*s + s/4
	tr := &trial{end: 20 * s, measured: measured{cells: map[cellKey]*cell{}, grid: gridOf(0, 20*s, zero)}}
	if tr.grid.edge(0) > 0 || tr.grid.edge(tr.grid.n) < tr.end || (tr.grid.edge(3)-zero)%s != 0 {
		t.Fatalf("grid %+v", tr.grid)
	}
	bins := []latency.Bin{{US: 5000, N: 100}}
	tr.window(rundir.Window{Key: rundir.Key{Verb: "get"}, From: 0, To: 10 * s, OK: 100, Errors: map[string]uint64{"500": 10}}, bins, nil)
	tr.window(rundir.Window{Key: rundir.Key{Verb: "create"}, From: 12*s + s/4, To: 13*s + s/4, OK: 7}, bins, nil)
	var ok, failed float64
	for i := range tr.bins {
		b := &tr.bins[i]
		ok, failed = ok+b.ok, failed+b.failed
		mid := tr.grid.edge(i) + s/2
		if want := mid > s/2 && mid < 10*s-s/2; want != (b.hist[reading].Count() > 0) && mid < 9*s && mid > s {
			t.Errorf("bin %d: %d latencies", i, b.hist[reading].Count())
		}
	}
	if math.Abs(ok-107) > 1e-9 || math.Abs(failed-10) > 1e-9 {
		t.Errorf("%v successes, %v failures: spreading must keep the sums", ok, failed)
	}
	b := tr.grid.at(zero)
	if tr.bins[b].ok != 7 || tr.grid.middle(b) != 0.5 {
		t.Errorf("the bin that begins at zero holds %v at %v", tr.bins[b].ok, tr.grid.middle(b))
	}
}

func TestGridIsBounded(t *testing.T) {
	for _, c := range [][3]int64{{0, 3600 * s, 1800 * s}, {0, math.MaxInt64, 0}, {-5, 5, math.MaxInt64}, {0, 0, 0}, {math.MinInt64, math.MaxInt64, 0}} {
		g := gridOf(c[0], c[1], c[2])
		if g.n > maxBins+2 || g.step <= 0 {
			t.Errorf("gridOf(%v) = %+v", c, g)
		}
		g.overlaps(0, math.MaxInt64, func(int, int64) {})
	}
	if g := gridOf(0, 3600*s, 1800*s); g.step != 6*s || g.at(1800*s)+g.first != 0 || g.n < 600 {
		t.Errorf("an hour: %+v", g)
	}
}
