package workloads

import (
	"context"
	"fmt"
	"time"

	"github.com/storm-harness/storm/internal/unit"
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
}

func newInformers() Workload {
	return &Informers{Watching: Watching{Sync: "watchList", Content: "protobuf", Connections: "shared", Timeout: serverTimeout}}
}

// serverTimeout is the API server's own deadline of a request that is no watch.
const serverTimeout = unit.Duration(60 * time.Second)

// minEvery bounds how often informers start anew.
const minEvery = unit.Duration(time.Second)

// Check implements Workload.
func (n *Informers) Check() []string {
	problems := append(n.check(n.Resource, openFiles()), checkCollection(n.Resource, n.Namespace, n.LabelSelector, n.FieldSelector)...)
	if n.RestartEvery > 0 && n.RestartEvery < minEvery {
		problems = append(problems, fmt.Sprintf("restartEvery: %s is below the limit of %s", n.RestartEvery, minEvery))
	}
	return problems
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
	h, err := newHerd(env, n.Watching, collection{r, n.Namespace, selectors(n.LabelSelector, n.FieldSelector).Encode()}, nil)
	if err != nil {
		return err
	}
	run := &informers{herd: h, every: int64(n.RestartEvery)}
	now := env.Clock.Now()
	for i := range h.reflectors {
		at := now + int64(n.StartOver)*int64(i)/int64(n.Count)
		h.shared.Agenda.Add(at, run.start(i))
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
}

// CodeUnsynced is the code of an informer that had not seen everything when it
// was to start anew, or when the load ended, after ten seconds or more.
const CodeUnsynced = "unsynced"

// start returns what starts informer i, whatever became of it before.
func (n *informers) start(i int) func(context.Context, int64) {
	return func(_ context.Context, at int64) {
		r := &n.reflectors[i]
		if since, syncing := r.Stop(); syncing {
			n.unsynced(since)
		}
		r.Start(at)
		if n.every > 0 {
			n.shared.Agenda.Add(at+n.every, n.start(i))
		}
	}
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
