package report

import (
	"math"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// noRequest began the reason of a trial without a load, before it began as UnderFloor does.
const noRequest = "no request of any load ended before the fault"

// underFloor says whether a reason is that the load was too small before the fault.
func underFloor(reason string) bool {
	return strings.HasPrefix(reason, rundir.UnderFloor) || strings.HasPrefix(reason, noRequest)
}

// undone are the acts that the system under test did not let storm do: operations
// that failed, and whatever was not begun because the cluster was not whole. A fault
// without an effect is storm's own matter, and from the first act on that failed on
// storm's account nothing is held against the system: it says whether there is one.
func (t *trial) undone() (acts []rundir.Act, storms bool) {
	for _, a := range t.done.Acts {
		switch {
		case a.Unhealed || a.Error == "" && a.Proven > 0:
		case failedOperation(a) || strings.HasPrefix(a.Error, rundir.NotWhole):
			acts = append(acts, a)
		default:
			return acts, true
		}
	}
	return acts, false
}

// failedOperation says whether an act is an operation that was begun, and could not be
// done or had no effect that was proven.
func failedOperation(a rundir.Act) bool {
	return a.Sort == "operation" && a.Injected > 0 && a.Proven == 0
}

// unfinished is the duration of the first operation of those that a gate looks at which
// failed: longer than every other. As a recovery that did not come (unhealed), it
// counts though the trial is not valid.
func (t *trial) unfinished(g rundir.Gate) (value, bool) {
	if g.Metric != "operation.duration" || !t.endedWell() {
		return value{}, false
	}
	undone, _ := t.undone()
	for _, a := range undone {
		if failedOperation(a) && ofAct(g, a.Name, a.Kind) {
			return value{
				v: math.Inf(1), samples: 1, censored: true, seen: float64(max(a.Injected, a.Healing)-a.Intended) / 1e9,
				note: a.Name + " " + or(a.Error, "had no effect that was proven"),
			}, true
		}
	}
	return value{}, false
}

// endedWell says whether what a trial did not see the end of counts: it is one that is
// judged, storm let it go on to its end, and kept up with it.
func (t *trial) endedWell() bool {
	return t.state != TrialDiscarded && t.done.Outcome == "done" && t.kept()
}
