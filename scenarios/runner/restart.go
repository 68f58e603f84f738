package runner

import (
	"fmt"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
)

// A controller manager or scheduler that cannot renew its lease for ten seconds
// ends itself, and counts on being started again: by a kubelet or an init
// system, which a local cluster does not have. So storm does it, where an act can
// be the reason. At any other time such an end is unexplained, and the trial
// invalid.

// restartAfter is how long a component is left before it is started again: the
// kubelet's first wait is of that order, and one that cannot live yet must not
// burn the processors.
const restartAfter = time.Second

// upsetFor is how long after an act it can be the reason: renewing is given up
// after 10 s, the last success may have been that long before, and giving up
// takes a while on a busy machine.
const upsetFor = 30 * time.Second

// upset is when the cluster was last disturbed on purpose.
type upset struct {
	now  bool
	last int64 // ns since the origin
}

// disturb notes that an act begins (true) or has ended.
func (t *trial) disturb(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.upset = upset{now: on, last: t.eyes.clock.Now()}
}

// expected says whether the end of a component follows from the act in force;
// if so, it is started again.
func (t *trial) expected(id clusters.ID, how string) bool {
	t.mu.Lock()
	disturbed := t.upset.now || t.upset.last > 0 && t.eyes.clock.Now()-t.upset.last < int64(upsetFor)
	t.mu.Unlock()
	elected := id.Kind == clusters.KindControllerManager || id.Kind == clusters.KindScheduler
	if !elected || !disturbed {
		return false
	}
	t.eyes.marks.Mark(rundir.Event{Kind: rundir.EventExit, Subject: id.String(), Text: how})
	t.restarts.Go(func() { t.restart(id, how) })
	return true
}

// restart starts a component again, unless something else has by then.
func (t *trial) restart(id clusters.ID, how string) {
	if wait(t.alive, restartAfter); t.alive.Err() != nil {
		return
	}
	comp, ok := clusters.Find(t.run.cluster, id)
	if !ok || comp.State().Running {
		return
	}
	handle, ok := comp.(clusters.Restarter)
	if !ok {
		return
	}
	text := fmt.Sprintf("%s ended by itself during %s (%s), as it does when it cannot renew its lease; storm started it again, as a kubelet would", id, t.actName(), how)
	if err := handle.Start(t.alive, clusters.Change{}); err != nil {
		text = fmt.Sprintf("%s ended by itself (%s) and could not be started again: %v", id, how, err)
	}
	t.mu.Lock()
	t.warnings = append(t.warnings, text)
	t.mu.Unlock()
	t.eyes.marks.Mark(rundir.Event{Kind: rundir.EventStart, Subject: id.String(), Text: text})
}

// actName is the act in force, or else the last one.
func (t *trial) actName() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.at.Act != "" {
		return t.at.Act
	}
	return "the recovery"
}
