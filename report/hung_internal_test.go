package report

import (
	"math"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
)

// TestWhatHangsOverAPhasesEndIsOfThatPhase has loads that wait longer than a phase
// lasts: nothing of what hangs is done within it.
func TestWhatHangsOverAPhasesEndIsOfThatPhase(t *testing.T) {
	const second, us = int64(1e9), int64(1e6)
	key := rundir.Key{Workload: "churn", Verb: "create", Resource: "events", Scope: "resource"}
	trialOf := func() *trial {
		tr := &trial{end: 30 * second, measured: measured{cells: map[cellKey]*cell{}, grid: gridOf(0, 30*second, 8*second)}}
		tr.done.Phases = []rundir.Phase{{Name: "steady", From: 2 * second, To: 8 * second}, {Name: "fault", From: 8 * second, To: 30 * second}}
		tr.window(rundir.Window{Key: key, From: 4 * second, To: 5 * second, OK: 90}, []latency.Bin{{US: us / 100, N: 90}}, nil)
		return tr
	}
	of := gateOn("api.latency", "phase", "steady")
	of.Stat = "p99"
	p99 := func(tr *trial) value { return tr.apiLatency(of) }
	errs := func(tr *trial) float64 { return tr.apiRate(gateOn("api.errors", "phase", "steady")).v }
	if v := p99(trialOf()); v.v != 0.01 {
		t.Fatalf("p99 of what is quick: %v", v.v)
	}
	for name, c := range map[string]struct {
		at     int64 // the window's beginning, in s
		wait   int64 // s
		failed bool
		p99    float64
	}{
		"it timed out in the fault":           {13, 10, true, math.Inf(1)},
		"it was answered in the fault":        {13, 10, false, 10},
		"it was answered after a long fault":  {27, 24, false, 24},
		"it timed out long after it had hung": {17, 14, true, math.Inf(1)},
		"it began as the phase did":           {12, 10, false, 10},
		"it may have begun in the warm-up":    {12, 11, true, 0.01},
		"it began in the warm-up":             {8, 9, true, 0.01},
		"it had not been waited for long":     {10, 3, true, 0.01},
		"it may not have been":                {10, 5, true, 0.01},
		"it began in the fault":               {20, 4, true, 0.01},
	} {
		t.Run(name, func(t *testing.T) {
			tr := trialOf()
			w := rundir.Window{Key: key, From: c.at * second, To: (c.at + 1) * second}
			bins := []latency.Bin{{US: c.wait * us, N: 10}}
			if c.failed {
				w.Errors = map[string]uint64{"timeout": 10}
				tr.window(w, nil, bins)
			} else {
				w.OK = 10
				tr.window(w, bins, nil)
			}
			if v := p99(tr); v.v != c.p99 {
				t.Errorf("p99 %v, want %v", v.v, c.p99)
			}
			share := 0.0
			if c.failed && math.IsInf(c.p99, 1) {
				share = 0.1
			}
			if got := errs(tr); got != share {
				t.Errorf("%v of the steady phase failed, want %v", got, share)
			}
			// Over all phases nothing counts twice.
			all := tr.apiRate(gateOn("api.errors"))
			if all.samples != 100 {
				t.Errorf("%d requests in all", all.samples)
			}
		})
	}
}
