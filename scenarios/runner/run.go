package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/priority"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/scenarios"
)

// Up starts a cluster for a run. exited is to be told of every process that
// ended though nobody asked.
type Up func(ctx context.Context, spec clusters.Spec, logs string, sink clusters.Sink, exited func(clusters.ID, string)) (clusters.Cluster, error)

// Options say what to run, and where the outcome goes.
type Options struct {
	Scenario *scenarios.Scenario
	// Before is called before the cluster is started, and may refuse the run, or
	// warn of what the report is to say; nil for nothing.
	Before  func(ctx context.Context, sink clusters.Sink) (warnings []string, err error)
	Up      Up
	Dir     string // the run directory to make
	RunID   string
	Seed    int64
	Command []string // the command line, for the report
	Version string   // of storm
	Host    rundir.Host
	Observe Observer
	Log     *slog.Logger
}

// provenancer is a cluster that knows where its binaries came from.
type provenancer interface{ Provenance() []rundir.Provenance }

// networked is a cluster that says whether its members are hosts of their own.
type networked interface{ Namespaces() bool }

// observed is a cluster that no spec describes: it tells what was seen of it, and
// what that limits.
type observed interface {
	Observed() (rundir.Topology, []string)
}

// parting is a cluster that takes its time to be closed: so long at most.
type parting interface{ Parting() time.Duration }

// resetting is a cluster that goes back in more than one way: it says how it last did.
type resetting interface{ ResetHow() string }

// telling is a cluster that takes a while to tell of a component that ended: it waits
// until it has.
type telling interface{ Told(ctx context.Context) }

// losable is a cluster that can be lost as a whole: its supervisor was killed.
type losable interface{ Lost() <-chan struct{} }

// ErrClusterLost is the cause of a run that ended with its cluster.
var ErrClusterLost = errors.New("the cluster's supervisor is gone, and every component with it")

// run is one execution of a scenario.
type run struct {
	o       Options
	dir     *rundir.Dir
	plan    []rundir.Planned
	cluster clusters.Cluster

	mu         sync.Mutex
	current    *trial   // under way; nil between trials
	filling    *filling // a population that is being made; nil otherwise
	exits      []string // unasked, of the trial under way
	provenance []rundir.Provenance
}

// Run plans the trials, runs them one after the other, and returns the run
// directory. The directory is complete as far as the run came, also where an
// error is returned with it; where the run was interrupted the error is ctx's.
func Run(ctx context.Context, o Options) (dir *rundir.Dir, err error) {
	r := &run{o: o}
	if r.o.Observe == nil {
		r.o.Observe = func(Progress) {}
	}
	if r.o.Log == nil {
		r.o.Log = slog.New(slog.DiscardHandler)
	}
	defer priority.KeepSmall()()
	r.plan = PlanOf(o.Scenario, o.Seed)
	about, err := r.about()
	if err != nil {
		return nil, err
	}
	if r.dir, err = rundir.Create(o.Dir, about); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.dir.Close()) }()
	if text, err := o.Scenario.YAML(); err == nil {
		if err := r.dir.WriteScenario(text); err != nil {
			return r.dir, err
		}
	}
	err = r.all(ctx)
	outcome, text := "complete", ""
	switch {
	case ctx.Err() != nil:
		outcome, text = "interrupted", context.Cause(ctx).Error()
		err = ctx.Err()
	case err != nil:
		outcome, text = "failed", err.Error()
	}
	return r.dir, errors.Join(err, r.dir.Update(func(run *rundir.Run) {
		run.Finished, run.Outcome, run.Error = time.Now().UTC(), outcome, text
	}))
}

// PlanOf is the plan of a scenario.
func PlanOf(s *scenarios.Scenario, seed int64) []rundir.Planned {
	var profiles []string
	for _, p := range s.Profiles {
		profiles = append(profiles, p.Name)
	}
	var tours []Tour
	for _, t := range s.Tours {
		tours = append(tours, Tour{t.Name, t.Profile})
	}
	return Plan(profiles, s.WarmupBlock, s.Blocks, tours, seed)
}

// all starts the cluster, runs every trial, and ends the cluster.
func (r *run) all(ctx context.Context) (err error) {
	ctx, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	first, err := r.o.Scenario.Trial(r.plan[0].Profile, r.plan[0].Tour)
	if err != nil {
		return err
	}
	began, says := time.Now(), doingTo(first.Cluster)
	r.progress(Progress{Stage: StageCluster, Text: says.start})
	sink := func(e clusters.Event) {
		r.progress(Progress{Stage: StageCluster, Component: e.Component, Text: e.Text, Done: e.Done, Total: e.Total})
		if e.Tell {
			r.tell(e, time.Since(began))
		}
	}
	if r.o.Before != nil {
		warnings, err := r.o.Before(ctx, sink)
		for _, w := range warnings {
			r.dir.AppendEvent(rundir.Event{At: int64(time.Since(began)), Kind: rundir.EventWarning, Text: w})
		}
		if err != nil {
			return err
		}
	}
	r.cluster, err = r.o.Up(ctx, first.Cluster, filepath.Join(r.dir.Path(), rundir.LogsDir), sink, r.exited)
	if err != nil {
		return fmt.Errorf("%s: %w", says.start, err)
	}
	defer func() {
		r.progress(Progress{Stage: StageFinish, Text: says.end})
		patience := time.Minute
		if p, ok := r.cluster.(parting); ok {
			patience = p.Parting()
		}
		cctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		err = errors.Join(err, r.cluster.Close(cctx))
	}()
	if l, ok := r.cluster.(losable); ok {
		go func() {
			select {
			case <-l.Lost():
				lose(ErrClusterLost)
			case <-ctx.Done():
			}
		}()
	}
	r.progress(Progress{Stage: StageCluster, Text: fmt.Sprintf(says.up, time.Since(began).Seconds())})
	if n, ok := r.cluster.(networked); ok {
		mode := "loopback"
		if n.Namespaces() {
			mode = "namespaces"
		}
		if err := r.dir.Update(func(run *rundir.Run) { run.Networking = mode }); err != nil {
			return err
		}
	}
	if o, ok := r.cluster.(observed); ok {
		if err := r.dir.Update(func(run *rundir.Run) { tell(run, o) }); err != nil {
			return err
		}
	}
	return r.trials(ctx)
}

// trials runs one trial after the other. What is built before them is not worth
// going first for.
func (r *run) trials(ctx context.Context) error {
	standing, undo := priority.GoFirst()
	defer undo()
	if err := r.dir.Update(func(run *rundir.Run) { run.Host.RealTime, run.Host.Nice = standing.RealTime, standing.Nice }); err != nil {
		return err
	}
	for i, planned := range r.plan {
		if err := r.one(ctx, i, planned); err != nil {
			if cause := context.Cause(ctx); errors.Is(cause, ErrClusterLost) {
				return cause
			}
			return fmt.Errorf("trial %s: %w", planned.ID, err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// one resets the cluster and runs one trial.
func (r *run) one(ctx context.Context, i int, planned rundir.Planned) error {
	spec, err := r.o.Scenario.Trial(planned.Profile, planned.Tour)
	if err != nil {
		return err
	}
	at := Progress{Trial: i + 1, Trials: len(r.plan), Planned: planned}
	began := time.Now()
	at.Stage, at.Text = StageReset, doingTo(spec.Cluster).reset
	r.o.Observe(at)
	populated, err := r.reset(ctx, spec, at)
	if err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	r.told(ctx)
	r.takeExits() // what the reset killed is not the trial's
	if err := r.record(planned); err != nil {
		return err
	}
	at.Text = ""
	t := &trial{run: r, planned: planned, spec: spec, at: at, reset: time.Since(began), populated: populated}
	if c, ok := r.cluster.(resetting); ok {
		t.resetHow = c.ResetHow()
	}
	return t.execute(ctx)
}

// told returns when the word has come of everything that has ended by now: how it ended
// is asked for after that is seen.
func (r *run) told(ctx context.Context) {
	if c, ok := r.cluster.(telling); ok {
		c.Told(ctx)
	}
}

// record writes down which binaries the profile's trials run, once each. A tour may
// have patched that: what it alone runs is its own.
func (r *run) record(planned rundir.Planned) error {
	p, ok := r.cluster.(provenancer)
	if !ok {
		return nil
	}
	changed := false
	for _, b := range p.Provenance() {
		b.Profile = planned.Profile
		if slices.Contains(r.provenance, b) {
			continue
		}
		if planned.Tour != "" {
			if b.Profile = "tour " + planned.Tour; slices.Contains(r.provenance, b) {
				continue
			}
		}
		r.provenance, changed = append(r.provenance, b), true
	}
	if !changed {
		return nil
	}
	return r.dir.WriteComponents(r.provenance)
}

// exited hears of a process that ended though nobody asked.
func (r *run) exited(id clusters.ID, how string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil && r.current.expected(id, how) {
		return
	}
	if r.filling != nil && endedItself(id, how) {
		r.filling.ended(id)
		return
	}
	r.exits = append(r.exits, fmt.Sprintf("%s ended though nobody asked: %s", id, how))
}

// tell has the report say what the provider did, of the trial that runs or, between
// trials, of the run, at that time since its begin.
func (r *run) tell(e clusters.Event, at time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil || !r.current.told(e) {
		r.dir.AppendEvent(rundir.Event{At: int64(at), Kind: rundir.EventWarning, Subject: e.Component, Text: e.Text})
	}
}

// apart calls f while no end of a process is being heard of.
func (r *run) apart(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

func (r *run) setCurrent(t *trial) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = t
}

// takeExits returns the unasked ends since the last call.
func (r *run) takeExits() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.exits
	r.exits = nil
	return out
}

func (r *run) progress(p Progress) {
	p.Trials = len(r.plan)
	r.o.Observe(p)
}
