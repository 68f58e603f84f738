package acts

import (
	"context"
	"fmt"
	"time"

	"github.com/storm-harness/storm/clusters/ready"
	"github.com/storm-harness/storm/internal/rundir"
)

// Who heals a fault.
const (
	HealAuto     = "auto"     // the wrapper, when the hold is over
	HealTimeline = "timeline" // an operation of the timeline; the wrapper waits for the proof
	healAbort    = "abort"    // storm by itself, because the timeline did not, or the trial was cut short
)

// Sorts of act.
const (
	SortFault     = "fault"
	SortOperation = "operation"
)

// Step is an act with its place in a timeline.
type Step struct {
	Name string // unique within the timeline
	Kind string // the word in the scenario
	Sort string // SortFault or SortOperation
	Act  Act
	For  time.Duration // how long the effect is held; faults only
	Heal string        // HealAuto or HealTimeline
	// Unwell says that the cluster is known to be unwell before this act,
	// because a fault that the timeline heals is in force: then its health is
	// no condition.
	Unwell bool
}

// Bounds are the longest times that the wrapper waits. They are bounds of
// patience, not of measurement: reaching one makes the trial invalid.
type Bounds struct {
	Healthy time.Duration // for the cluster to be whole before
	Prove   time.Duration // for the effect to show
	Heal    time.Duration // for healing, and again for the proof of it
}

// DefaultBounds suit clusters on one small machine, where a member beside kubelets and a
// full load was seen to take more than half a minute to apply a compaction. What heals by
// a start may take as long as any start, and a controller that has ended some times waits up to
// five minutes for its kubelet.
func DefaultBounds() Bounds {
	return Bounds{Healthy: ready.Patience + time.Minute, Prove: 90 * time.Second, Heal: ready.Patience + time.Minute}
}

// Open is a fault in force that the timeline is to heal.
type Open struct {
	env      *Env
	step     Step
	injected Aimed
	bounds   Bounds
}

// Run takes one act through its whole way: healthy before → aim → mark →
// inject → prove that it took effect → hold → heal on a context that outlives
// ctx → prove healed → mark. The returned act is complete in every case; its Error
// says what was not true, and a trial with such an act is invalid. Open is
// non-nil for a fault that the timeline heals: its Close must be called.
func Run(ctx context.Context, env *Env, step Step, bounds Bounds) (*rundir.Act, *Open) {
	act := &rundir.Act{Name: step.Name, Kind: step.Kind, Sort: step.Sort}
	fail := func(format string, args ...any) {
		if act.Error == "" {
			act.Error = fmt.Sprintf(format, args...)
		}
		env.mark(rundir.EventActFailed, step, act.Error)
	}

	if !step.Unwell {
		hctx, cancel := context.WithTimeout(ctx, bounds.Healthy)
		err := AwaitHealthy(hctx, env.Cluster)
		cancel()
		if err != nil {
			act.Intended = env.Clock.Now()
			fail(rundir.NotWhole+": %v", err)
			return act, nil
		}
	}

	env.Act = step.Name
	injected, err := step.Act.Aim(ctx, env)
	if err != nil {
		act.Intended = env.Clock.Now()
		fail("could not be aimed: %v", err)
		return act, nil
	}
	act.Intended = env.Clock.Now()
	env.mark(rundir.EventActIntended, step, step.Act.Describe())
	err = injected.Inject(ctx)
	act.Injected = env.Clock.Now()
	t := injected.Target()
	if t.Began > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("it took %.1fs to build up; times count from when it began to bite", float64(t.Began-act.Intended)/1e9))
		act.Intended = t.Began
	}
	act.Shard, act.Target, act.Down, act.Facts, act.Notes = t.Shard, t.Name, t.Down, t.Facts, t.Notes
	if err != nil {
		fail("could not be done: %v", err)
		heal(ctx, env, step, injected, bounds, act, healAbort)
		return act, nil
	}
	env.mark(rundir.EventActInjected, step, act.Target)

	pctx, cancel := context.WithTimeout(ctx, bounds.Prove)
	act.Proof, err = injected.Prove(pctx)
	cancel()
	if err != nil {
		fail("took no effect that could be observed: %v", err)
		heal(ctx, env, step, injected, bounds, act, healAbort)
		return act, nil
	}
	act.Proven = env.Clock.Now()
	env.mark(rundir.EventActProven, step, act.Proof)

	hold(ctx, env, act.Injected+int64(step.For))
	if step.Heal == HealTimeline && ctx.Err() == nil {
		return act, &Open{env: env, step: step, injected: injected, bounds: bounds}
	}
	sort := HealAuto
	if ctx.Err() != nil {
		sort = healAbort
	}
	heal(ctx, env, step, injected, bounds, act, sort)
	act.Facts = injected.Target().Facts // one that measures while it holds knows more now
	return act, nil
}

// Close waits for the proof that the timeline healed the fault. Where that
// does not show within the bound, or ctx has ended, storm heals by itself, and
// the act says so.
func (o *Open) Close(ctx context.Context, act *rundir.Act) {
	act.Healing = o.env.Clock.Now()
	if ctx.Err() == nil {
		pctx, cancel := context.WithTimeout(ctx, o.bounds.Prove)
		proof, err := o.injected.ProveHealed(pctx)
		cancel()
		if err == nil {
			act.HealSort, act.HealedBy, act.Healed = HealTimeline, proof, o.env.Clock.Now()
			o.env.mark(rundir.EventActHealed, o.step, proof)
			// What the fault used, such as the objects that filled the quota, still goes.
			cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.bounds.Heal)
			defer cancel()
			if err := o.injected.Heal(cctx); err != nil {
				act.Notes = append(act.Notes, "cleaning up after the fault: "+err.Error())
			}
			return
		}
		act.Notes = append(act.Notes, "the timeline did not heal it: "+err.Error())
		act.Unhealed = true
		if act.Error == "" {
			act.Error = "the timeline did not heal it, so storm did: " + err.Error()
		}
	}
	heal(ctx, o.env, o.step, o.injected, o.bounds, act, healAbort)
}

// heal puts things back on a context of its own: a Ctrl-C must not leave a
// member paused.
func heal(ctx context.Context, env *Env, step Step, injected Aimed, bounds Bounds, act *rundir.Act, sort string) {
	fresh := context.WithoutCancel(ctx)
	act.Healing, act.HealSort = env.Clock.Now(), sort
	env.mark(rundir.EventActHealing, step, sort)
	hctx, cancel := context.WithTimeout(fresh, bounds.Heal)
	err := injected.Heal(hctx)
	cancel()
	if err == nil {
		pctx, cancel := context.WithTimeout(fresh, bounds.Heal)
		act.HealedBy, err = injected.ProveHealed(pctx)
		cancel()
		act.Unhealed = act.Unhealed || err != nil && act.Proven > 0
	}
	if err != nil {
		if act.Error == "" {
			act.Error = fmt.Sprintf("could not be healed: %v", err)
		}
		env.mark(rundir.EventActFailed, step, "could not be healed: "+err.Error())
		return
	}
	act.Healed = env.Clock.Now()
	env.mark(rundir.EventActHealed, step, act.HealedBy)
}

// hold waits until the clock reads until, or ctx ends.
func hold(ctx context.Context, env *Env, until int64) {
	wait := time.Duration(until - env.Clock.Now())
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (e *Env) mark(kind string, step Step, text string) {
	if e.Mark == nil {
		return
	}
	e.Mark(rundir.Event{At: e.Clock.Now(), Kind: kind, Subject: step.Name, Text: text,
		Data: map[string]string{"kind": step.Kind, "sort": step.Sort}})
}
