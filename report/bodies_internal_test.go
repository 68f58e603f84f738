package report

import (
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
)

// A watch that was open before a phase, and is asked for nothing in it, carries bodies.
func TestOpenWatchesCarryBodies(t *testing.T) {
	key := func(via string) cellKey {
		return cellKey{Key: rundir.Key{Workload: "fleet", Verb: "watch", Resource: "pods", Scope: "cluster", Via: via}, phase: "steady"}
	}
	of := &trial{state: TrialValid}
	of.cells = map[cellKey]*cell{key(""): {bytes: 1000, inflated: 500}, key(rundir.ViaWatch): {bytes: 1000}}
	of.done.Phases = []rundir.Phase{{Name: "steady", To: 10e9}}
	rows := latencies(rundir.Run{}, []*trial{of})
	if len(rows) != 2 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, r := range rows {
		if r.P50.Is() || r.Requests != 0 || r.Trials != 0 {
			t.Errorf("%s: %d requests in %d trials, p50 %v", r.Via, r.Requests, r.Trials, r.P50)
		}
		switch {
		case r.Via != "api" && (r.Received.Is() || r.Decoded.Is()):
			t.Errorf("what is seen through a watch has bodies of its own: %v", r.Received)
		case r.Via == "api" && (r.Received != 100 || r.Decoded != 150):
			t.Errorf("%v and %v bytes a second, want 100 and 150", r.Received, r.Decoded)
		}
	}
}
