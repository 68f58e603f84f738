package runner

import (
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
)

// TestLiveSecond: the windows of a second add up to a rate, errors, and the p99
// over all of their requests, when the next second begins.
func TestLiveSecond(t *testing.T) {
	hist := func(n int, us int64) string {
		h := rundir.NewHist()
		if err := h.RecordValues(us, int64(n)); err != nil {
			t.Fatal(err)
		}
		text, err := rundir.EncodeHist(h)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	const second = int64(time.Second)
	var l live
	for _, w := range []rundir.Window{
		{From: 0, To: second, OK: 197, Hist: hist(197, 2_000)},
		{From: 0, To: second, OK: 3, Hist: hist(3, 40_000)},
		{From: 0, To: second},
	} {
		if l.add(w, 1) {
			t.Fatal("the second is not over yet")
		}
	}
	if !l.add(rundir.Window{From: second, To: 2 * second}, 0) {
		t.Fatal("the second is over")
	}
	if got := l.last; got.Rate != 200 || got.Errors != 3 || got.Latency.P99().Round(time.Millisecond) != 40*time.Millisecond {
		t.Errorf("%v requests/s, %d errors, p99 %v; want 200, 3, 40ms", got.Rate, got.Errors, got.Latency.P99())
	}
	if none := (*Latency)(nil).P99() + (&Latency{}).P99(); none != 0 {
		t.Errorf("nothing recorded is %v, want 0", none)
	}
}
