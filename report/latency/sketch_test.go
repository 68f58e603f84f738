package latency_test

import (
	"math"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
)

// Whatever is added in whatever order, a sketch says the same as the whole
// distribution, to within 1 %.
func TestSketchIsWithinOnePerCent(t *testing.T) {
	var d latency.Decoder
	var s latency.Sketch
	var h latency.Hist
	if !math.IsNaN(s.Seconds(0.5)) || len(s.Bins()) != 0 {
		t.Error("an empty sketch has values")
	}
	for seed, n := range []int{3, 5000, 1, 200, 40_000} {
		text, _ := encoded(t, uint64(seed), n)
		bins, err := d.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		s.Add(bins)
		h.Add(bins)
		for _, q := range []float64{0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
			got, want := s.Seconds(q), h.Seconds(q)
			if math.Abs(got-want) > 0.01*want+1e-6 {
				t.Errorf("after %d: the %v-quantile is %v, sketched %v", n, q, want, got)
			}
		}
	}
	var total uint64
	last := int64(-1)
	for _, b := range s.Bins() {
		if b.US <= last {
			t.Fatalf("%d µs after %d", b.US, last)
		}
		last, total = b.US, total+b.N
	}
	if total != h.Count() || s.Count() != h.Count() {
		t.Errorf("%d values in bins, %d counted, of %d", total, s.Count(), h.Count())
	}
}

func TestSketchHoldsTheWholeRange(t *testing.T) {
	var s latency.Sketch
	for us := int64(rundir.HistLowest); us <= rundir.HistHighest; us = us*5/4 + 1 {
		s.Add([]latency.Bin{{US: us, N: 1}})
		if got := s.Seconds(1) * 1e6; math.Abs(got-float64(us)) > 0.01*float64(us) {
			t.Errorf("%d µs is sketched as %v", us, got)
		}
	}
}
