package runner

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/workloads"
)

// trial is one execution of the scenario under one profile.
type trial struct {
	run      *run
	planned  rundir.Planned
	spec     scenarios.Trial
	at       Progress
	reset    time.Duration
	resetHow string
	// populated says that what lasting loads make is in the golden copy.
	populated bool

	dir  *rundir.TrialDir
	eyes *eyes
	env  *acts.Env

	alive    context.Context // until the trial is over
	restarts sync.WaitGroup

	loads      sync.WaitGroup
	stopLoads  context.CancelFunc
	loadErrs   chan error
	phases     []rundir.Phase
	acts       []*rundir.Act
	disturbing []*disturbance // acts whose recovery has not been measured yet
	open       []openFault
	restores   []measure.Restore
	audits     []rundir.Audit
	audited    bool // since the last act
	invalid    []string
	warnings   []string

	mu    sync.Mutex // of what the recorder's windows touch, and the display
	phase string
	upset upset
	tally tally
	live  live
}

// execute runs the trial and writes its outcome down. The error is of storm's
// doing or of the cluster's; what makes a trial invalid is no error.
func (t *trial) execute(ctx context.Context) (err error) {
	if t.dir, err = t.run.dir.Trial(t.planned.ID); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.dir.Close()) }()
	if err := t.namespaces(ctx); err != nil {
		return t.finish(ctx, fmt.Errorf("preparing: %w", err))
	}
	if t.eyes, err = t.openEyes(); err != nil {
		return t.finish(ctx, err)
	}
	// Registering nodes and warming up is no load that anything is judged by:
	// neither are requests that were sent late meanwhile.
	t.eyes.health.Faulted(true)
	t.env = &acts.Env{
		Cluster: t.run.cluster, Clock: t.eyes.clock, Log: t.run.o.Log, Dir: t.dir.Path(), RunID: t.run.o.RunID,
		Fleets: t.fleets(), Backups: map[string]acts.Backup{}, Restored: t.restored, Mark: t.eyes.act,
	}
	t.eyes.baseline(ctx)
	t.eyes.begin(context.WithoutCancel(ctx)) // observing goes on while a Ctrl-C is healed
	var end context.CancelFunc
	t.alive, end = context.WithCancel(context.WithoutCancel(ctx))
	t.run.setCurrent(t)
	defer t.run.setCurrent(nil)
	err = t.underLoad(ctx)
	// What is being started again is left: the next trial's reset must not meet a
	// start, nor the trial's files a mark once they are closed.
	t.run.apart(end)
	t.restarts.Wait()
	for _, observed := range t.eyes.end() {
		t.invalid = append(t.invalid, "an observer failed: "+observed.Error())
	}
	return t.finish(ctx, err)
}

// underLoad prepares the loads, puts them on, and goes through the timeline.
func (t *trial) underLoad(ctx context.Context) error {
	defer t.release()
	envs, err := t.prepare(ctx)
	if err != nil {
		return err
	}
	t.eyes.ask()
	lctx, stop := context.WithCancel(ctx)
	t.stopLoads, t.loadErrs = stop, make(chan error, len(t.spec.Workloads))
	for i, load := range t.spec.Workloads {
		t.loads.Go(func() {
			if err := load.Load.Run(lctx, envs[i]); err != nil && lctx.Err() == nil {
				t.loadErrs <- fmt.Errorf("load %s could not be put on: %w", load.Name, err)
			}
		})
	}
	err = t.timeline(ctx)
	stop()
	t.loads.Wait()
	close(t.loadErrs)
	for err := range t.loadErrs {
		t.invalid = append(t.invalid, err.Error())
	}
	return err
}

// prepare has every load make what it needs, unless it is in the golden copy.
func (t *trial) prepare(ctx context.Context) ([]*workloads.Env, error) {
	var envs []*workloads.Env
	for i, load := range t.spec.Workloads {
		_, lasting := load.Load.(workloads.Lasting)
		block := t.planned.Block
		if lasting {
			block = 0 // it is the same in every block
		}
		env, err := t.run.env(load.Name, t.eyes.clock, block, i, everySecond(func(done, total int) {
			t.say(fmt.Sprintf("preparing %s: %s of %s", load.Name, unit.Grouped(done), unit.Grouped(total)), 0)
		}))
		if err != nil {
			return nil, err
		}
		env.Recorder = t.eyes.recorder
		if !env.Access.EtcdReadOnly {
			env.Etcd = t.members
		}
		envs = append(envs, env)
		if lasting && t.populated {
			continue
		}
		t.say("preparing "+load.Name, 0)
		if err := prepare(ctx, load, env); err != nil {
			return nil, err
		}
	}
	return envs, nil
}

// fleets are the loads of simulated nodes, for acts to reach.
func (t *trial) fleets() map[string]acts.Fleet {
	out := map[string]acts.Fleet{}
	for _, load := range t.spec.Workloads {
		if f, ok := load.Load.(acts.Fleet); ok {
			out[load.Name] = f
		}
	}
	return out
}

// members returns the client URLs of a shard's etcd members.
func (t *trial) members(shard string) ([]string, error) {
	var urls, shards []string
	for _, c := range clusters.OfKind(t.run.cluster, clusters.KindEtcd, "") {
		if c.ID().Shard == shard {
			urls = append(urls, c.Endpoints().Client)
		}
		if !slices.Contains(shards, c.ID().Shard) {
			shards = append(shards, c.ID().Shard)
		}
	}
	if len(urls) == 0 {
		return nil, fmt.Errorf("the cluster has no shard %q: it has %s", shard, strings.Join(shards, ", "))
	}
	return urls, nil
}

// release gives up what the loads still hold.
func (t *trial) release() {
	for _, load := range t.spec.Workloads {
		if r, ok := load.Load.(workloads.Releaser); ok {
			r.Release()
		}
	}
}

// seedOf is the same for every profile of a block, so that they meet the same
// load.
func seedOf(seed int64, block int, load string) int64 {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%d/%s", seed, block, load)
	return int64(h.Sum64() >> 1)
}

// restored hears of every restore.
func (t *trial) restored(r acts.Restore) {
	t.restores = append(t.restores, measure.Restore{Shard: r.Shard, Revision: r.Revision, At: r.At})
}

// finish writes trial.json.
func (t *trial) finish(ctx context.Context, err error) error {
	out := rundir.Trial{Planned: t.planned, Outcome: "done", Reset: t.reset, ResetHow: t.resetHow}
	switch {
	case ctx.Err() != nil:
		out.Outcome, out.Error = "interrupted", context.Cause(ctx).Error()
	case err != nil:
		out.Outcome, out.Error = "failed", err.Error()
	}
	if t.eyes != nil {
		out.Origin = t.eyes.clock.Origin().UTC()
		out.Duration = t.eyes.clock.Now()
		out.Health = t.eyes.health.Result()
		out.Clock = t.eyes.wall.Result()
		t.judge(ctx, &out)
	}
	out.Phases, out.Journal = t.phases, t.audits
	for _, a := range t.acts {
		out.Acts = append(out.Acts, *a)
	}
	if err == nil && ctx.Err() == nil {
		err = t.dir.Err()
	}
	t.mu.Lock()
	at := t.at
	t.mu.Unlock()
	at.Stage, at.Ended = StageTrial, true
	if len(out.Invalid) > 0 {
		at.Problem = out.Invalid[0]
	}
	err = errors.Join(err, t.dir.Finish(out))
	t.run.o.Observe(at)
	return err
}

// judge lists why nothing may be concluded from the trial.
func (t *trial) judge(ctx context.Context, out *rundir.Trial) {
	t.run.told(ctx)
	out.Exits = t.run.takeExits()
	out.Invalid = append(out.Invalid, t.invalid...)
	for _, a := range t.acts {
		if a.Error != "" {
			out.Invalid = append(out.Invalid, fmt.Sprintf("%s %s: %s", a.Sort, a.Name, a.Error))
		}
	}
	out.Invalid = append(out.Invalid, out.Exits...)
	for _, p := range out.Health.Problems {
		out.Invalid = append(out.Invalid, rundir.LoadGenerator+p)
	}
	if p := t.tally.problem(t.spec.Measure.Load.AtLeast.Fraction(), len(t.spec.Workloads) > 0); p != "" {
		out.Invalid = append(out.Invalid, p)
	}
	if p := out.Clock.Problem(); p != "" {
		out.Invalid = append(out.Invalid, p)
	}
	t.mu.Lock()
	out.Warnings = t.warnings
	t.mu.Unlock()
}

// say reports what the trial is doing.
func (t *trial) say(phase string, lasts time.Duration) {
	t.mu.Lock()
	t.at.Stage, t.at.Phase, t.at.Began, t.at.Lasts = StageTrial, phase, time.Now(), lasts
	at := t.at
	t.mu.Unlock()
	t.run.o.Observe(at)
}

// told marks what the provider did in the trial's course, and has it be a warning of
// the trial; false where the trial has ended, and its files are being closed.
func (t *trial) told(e clusters.Event) bool {
	if t.alive.Err() != nil {
		return false
	}
	t.eyes.marks.Mark(rundir.Event{Kind: rundir.EventWarning, Subject: e.Component, Text: e.Text})
	t.mu.Lock()
	defer t.mu.Unlock()
	t.warnings = append(t.warnings, strings.TrimPrefix(e.Component+": "+e.Text, ": "))
	return true
}
