package workloads

import (
	"context"
	"fmt"
	"time"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/workloads/client"
)

// Informers is the load of controllers that keep a resource in their caches:
// each lists everything, or streams it, and holds its watch from then on.
// Nothing is kept of the objects. What is measured is how long each takes until
// it has seen everything, from when it was to begin.
type Informers struct {
	Watching      `yaml:",inline"`
	Resource      string        `yaml:"resource" required:"true" doc:"what to watch: pods, nodes, events, deployments …, or resource.version.group"`
	Namespace     string        `yaml:"namespace" doc:"the namespace to watch; all of them by default"`
	LabelSelector string        `yaml:"labelSelector" doc:"only objects with these labels, such as app=web,tier!=cache"`
	FieldSelector string        `yaml:"fieldSelector" doc:"only objects with these fields, such as spec.nodeName=node-1"`
	StartOver     unit.Duration `yaml:"startOver" doc:"time over which the informers start, one after the other; 0s by default: all together"`
	RestartEvery  unit.Duration `yaml:"restartEvery" doc:"time after which each informer starts anew, as in a process that is restarted, and syncs again; 0s by default: never"`
	Restarts      unit.Schedule `yaml:"restarts" doc:"in place of restartEvery, informers that start anew a second, one after the other, as a constant, a ramp or steps, such as 0.5/s; time counts from the start of the warmup; one that was to begin less than a second before, or is still to begin, is passed over"`
	Arrivals      string        `yaml:"arrivals" enum:"constant,poisson" doc:"with restarts, whether they come evenly or at random with that rate on average; constant by default"`
}

func newInformers() Workload {
	return &Informers{Watching: Watching{Sync: "watchList", Content: "protobuf", Connections: "shared", Timeout: unit.Duration(client.ServerTimeout)}}
}

// minEvery bounds how often informers start anew.
const minEvery = unit.Duration(time.Second)

// Check implements Workload.
func (n *Informers) Check() []string {
	problems := append(n.check(n.Resource, openFiles()), checkCollection(n.Resource, n.Namespace, n.LabelSelector, n.FieldSelector)...)
	if n.RestartEvery > 0 && n.RestartEvery < minEvery {
		problems = append(problems, fmt.Sprintf("restartEvery: %s is below the limit of %s", n.RestartEvery, minEvery))
	}
	if len(n.Restarts.Legs()) == 0 {
		if n.Arrivals != "" {
			problems = append(problems, "arrivals: this is of restarts")
		}
		return problems
	}
	problems = append(problems, checkRate("restarts", n.Restarts)...)
	if n.RestartEvery != 0 {
		problems = append(problems, "restarts: with it there is no restartEvery; a profile takes that away with restartEvery: null")
	}
	if each := n.Restarts.Peak().PerSecond() * minEvery.D().Seconds(); n.Count > 0 && each > float64(n.Count) {
		problems = append(problems, fmt.Sprintf("restarts: at %s one of %s starts anew more often than every %s", n.Restarts.Peak(), unit.Count(n.Count, "informer"), minEvery))
	}
	return append(problems, checkArrivals(n.Arrivals)...)
}

// Describe implements Workload.
func (n *Informers) Describe() string {
	when := "all start together"
	if n.StartOver > 0 {
		when = fmt.Sprintf("they start within %s", n.StartOver)
	}
	if n.RestartEvery > 0 {
		when += fmt.Sprintf(" and anew every %s", n.RestartEvery)
	}
	if len(n.Restarts.Legs()) > 0 {
		when += fmt.Sprintf(", and anew one after the other at %s", n.Restarts.Phrase())
	}
	return fmt.Sprintf("%s of %s %s, each %s; %s.", unit.Count(n.Count, "informer"), n.Resource,
		where(n.Resource, n.Namespace, n.LabelSelector, n.FieldSelector), n.manner(), when)
}

// Prepare implements Workload: it asks whether the server lets these objects be
// listed, so that what it refuses is known before the measured time.
func (n *Informers) Prepare(ctx context.Context, env *Env) error {
	r, err := findResource(n.Resource)
	if err != nil {
		return err
	}
	c, err := env.client(n.Timeout)
	if err != nil {
		return err
	}
	defer c.Close()
	l := &lister{client: c, path: r.path(n.Namespace), selectors: selectors(n.LabelSelector, n.FieldSelector), accept: contents[n.Content], newest: &newest{}}
	if err := l.first(ctx); err != nil {
		return fmt.Errorf("workload %s: %w", env.Name, err)
	}
	return nil
}

// Run implements Workload.
func (n *Informers) Run(ctx context.Context, env *Env) error {
	r, err := findResource(n.Resource)
	if err != nil {
		return err
	}
	h, err := newHerd(env, n.Watching, collection{r, n.Namespace, n.LabelSelector, n.FieldSelector}, nil)
	if err != nil {
		return err
	}
	run := &informers{herd: h, every: int64(n.RestartEvery), begun: env.Clock.Now(), over: int64(n.StartOver)}
	for i := range h.reflectors {
		h.shared.Agenda.Add(run.begun+run.first(i), run.start(i))
	}
	if len(n.Restarts.Legs()) > 0 {
		run.anew(OpenLoop{Rate: n.Restarts, Arrivals: n.Arrivals}.schedule(env.Seed), 0, 0)
	}
	<-ctx.Done()
	h.close()
	run.settle()
	return nil
}

// informers is one run of the load.
type informers struct {
	*herd
	every int64 // ns between two starts of one informer; 0: it starts once
	begun int64 // when the load did, ns since the clock's origin
	over  int64 // ns over which the informers start
}

// first is when informer i starts for the first time, ns since the load began.
func (n *informers) first(i int) int64 { return n.over * int64(i) / int64(len(n.reflectors)) }

// CodeUnsynced is the code of an informer that had not seen everything when it
// was to start anew, or when the load ended, after ten seconds or more.
const CodeUnsynced = "unsynced"

// start returns what starts informer i, whatever became of it before.
func (n *informers) start(i int) func(context.Context, int64) {
	return func(_ context.Context, at int64) {
		if since, syncing := n.reflectors[i].Start(at); syncing {
			n.unsynced(since)
		}
		if n.every > 0 {
			n.shared.Agenda.Add(at+n.every, n.start(i))
		}
	}
}

// anew puts restart k of a schedule on the agenda, which puts the next one there. The
// restart before it was at prev, ns since the load began. An informer that was to
// begin less than minEvery before is left alone.
func (n *informers) anew(s pace.Schedule, k uint64, prev int64) {
	at, is := s.Next(k, prev)
	if !is {
		return
	}
	i := int(k % uint64(len(n.reflectors)))
	restart := n.start(i)
	n.shared.Agenda.Add(n.begun+at, func(ctx context.Context, due int64) {
		if at >= n.first(i)+int64(minEvery) {
			restart(ctx, due)
		}
		n.anew(s, k+1, at)
	})
}

func (n *informers) unsynced(since int64) {
	n.shared.Sync.Record(since, since, n.env.Clock.Now(), CodeUnsynced, 0)
}

// settle counts those that never came to their end.
func (n *informers) settle() {
	now := n.env.Clock.Now()
	for i := range n.reflectors {
		if since, syncing := n.reflectors[i].Stop(); syncing {
			n.shared.Sync.Unended(since, now, CodeUnsynced)
		}
	}
}
