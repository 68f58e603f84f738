package runner

import (
	"fmt"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/workloads/fleet"
)

// tally counts the load's requests in the steady phases, up to the first act where
// one of them comes before it: a fault on a cluster that was not under its load
// shows nothing.
type tally struct{ ok, failed uint64 }

// window takes each window of the recorder: it is written down, counted, and
// shown.
func (t *trial) window(w rundir.Window) {
	t.dir.AppendWindow(w)
	if rundir.Own(w.Workload) || w.Via == fleet.ViaWatch {
		return // no request of a load
	}
	var failed uint64
	for _, n := range w.Errors {
		failed += n
	}
	t.mu.Lock()
	if t.phase == t.tallied() && (!t.upset.begun() || !steadyFirst(t.spec.Timeline)) {
		t.tally.ok, t.tally.failed = t.tally.ok+w.OK, t.tally.failed+failed
	}
	fresh := t.live.add(w, failed)
	at := t.at
	at.Live = t.live.last
	t.mu.Unlock()
	if fresh {
		t.run.o.Observe(at)
	}
}

// tallied is the phase whose requests count: steady, or warmup in a timeline
// that has no steady phase.
func (t *trial) tallied() string {
	if steady(t.spec.Timeline) > 0 {
		return scenarios.PhaseSteady
	}
	return scenarios.PhaseWarmup
}

// steadyFirst says whether a timeline has a steady phase before its first act.
func steadyFirst(timeline []scenarios.Step) bool {
	for _, st := range timeline {
		switch {
		case st.Act != nil:
			return false
		case st.Phase == scenarios.PhaseSteady:
			return true
		}
	}
	return false
}

// problem says why the load was not what it should have been.
func (c tally) problem(floor float64, loaded bool) string {
	all := c.ok + c.failed
	switch {
	case !loaded || floor == 0:
		return ""
	case all == 0:
		return rundir.UnderFloor + " before the fault: no request of any load ended"
	case float64(c.ok) < floor*float64(all):
		return fmt.Sprintf(rundir.UnderFloor+" before the fault: %d of %d requests succeeded in the steady phase, the floor is %.0f%%", c.ok, all, floor*100)
	}
	return ""
}

// live adds the windows of one second up for the display.
type live struct {
	ok, failed uint64
	hists      []string
	from, to   int64
	last       Live
}

// It says whether a second was completed.
func (l *live) add(w rundir.Window, failed uint64) (fresh bool) {
	if w.To != l.to {
		if span := time.Duration(l.to - l.from); span > 0 {
			l.last, fresh = Live{Rate: float64(l.ok) / span.Seconds(), Errors: l.failed, Latency: LatencyOf(l.hists...)}, true
		}
		*l = live{from: w.From, to: w.To, last: l.last}
	}
	l.ok, l.failed = l.ok+w.OK, l.failed+failed
	if w.Hist != "" {
		l.hists = append(l.hists, w.Hist)
	}
	return fresh
}
