package runner

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
)

// A controller manager or scheduler that cannot renew its lease for ten seconds
// ends itself, and counts on being started again: by a kubelet or an init
// system, which a local cluster does not have. So storm does it, where an act can
// be the reason. At any other time such an end is unexplained, and so is at any
// time one of another kind, such as a crash: the trial is invalid.

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

// begun says whether there has been a disturbance.
func (u upset) begun() bool { return u.now || u.last > 0 }

// disturb notes that an act begins (true) or has ended.
func (t *trial) disturb(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.upset = upset{now: on, last: t.eyes.clock.Now()}
}

// expected says whether the end of a component follows from the act in force;
// if so, it is started again.
func (t *trial) expected(id clusters.ID, how string) bool {
	if !endedItself(id, how) {
		return false
	}
	t.mu.Lock()
	disturbed := t.upset.now || t.upset.last > 0 && t.eyes.clock.Now()-t.upset.last < int64(upsetFor)
	t.mu.Unlock()
	if !disturbed {
		return false
	}
	if t.alive.Err() != nil {
		return true // the trial has ended, and the reset starts it
	}
	t.eyes.marks.Mark(rundir.Event{Kind: rundir.EventExit, Subject: id.String(), Text: how})
	t.restarts.Go(func() { t.restart(id, how) })
	return true
}

// endedItself says whether a component ended as one does that cannot renew its
// lease: with status 1, its last words behind that where they are known. A panic ends
// with status 2, a fatal error of its log with 255, and whatever was killed by a signal.
func endedItself(id clusters.ID, how string) bool {
	elected := id.Kind == clusters.KindControllerManager || id.Kind == clusters.KindScheduler
	return elected && (how == leaseLost || strings.HasPrefix(how, leaseLost+": "))
}

const leaseLost = "exit status 1"

// restart starts a component again, unless something else has by then.
func (t *trial) restart(id clusters.ID, how string) {
	tried, err := startAgain(t.alive, t.run.cluster, id)
	if !tried {
		return
	}
	text := fmt.Sprintf("%s ended by itself during %s (%s), as it does when it cannot renew its lease; storm started it again, as a kubelet would", id, t.actName(), how)
	if err != nil {
		text = fmt.Sprintf("%s ended by itself (%s) and could not be started again: %v", id, how, err)
		if t.alive.Err() != nil {
			text = fmt.Sprintf("%s ended by itself (%s) and was being started again when the trial ended", id, how)
		}
	}
	t.mu.Lock()
	t.warnings = append(t.warnings, text)
	t.mu.Unlock()
	t.eyes.marks.Mark(rundir.Event{Kind: rundir.EventStart, Subject: id.String(), Text: text})
}

// startAgain starts a component that has ended by itself, unless something else has
// after a while, or ctx has ended.
func startAgain(ctx context.Context, c clusters.Cluster, id clusters.ID) (tried bool, err error) {
	if wait(ctx, restartAfter); ctx.Err() != nil {
		return false, nil
	}
	comp, ok := clusters.Find(c, id)
	if !ok || comp.State().Running {
		return false, nil
	}
	handle, ok := comp.(clusters.Restarter)
	if !ok {
		return false, nil
	}
	return true, handle.Start(ctx, clusters.Change{})
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
