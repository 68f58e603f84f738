package fleet

import (
	"context"
	"math/rand/v2"

	corev1 "k8s.io/api/core/v1"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// ViaWatch marks the series that are no requests but what a watch showed.
const ViaWatch = "watch"

// observer measures how long pods take to start, as the pod startup SLO says:
// observed by a watch, from the pod's creation until all of its containers run.
// The creation is the arrival of the pod's first event, because an object's
// own creationTimestamp has whole seconds only. What was there before the
// watch, or was created while it was broken, has no known beginning and does
// not count.
type observer struct {
	feed                                       feed
	createToSchedule, scheduleToRun, createRun *measure.Series

	pods map[string]*life // by UID
	seen map[string]*life
}

// life is when a pod was first seen in each state; 0: not yet, or not known.
type life struct {
	created, scheduled int64
	over               bool // it runs, or there is nothing to learn from it
}

func newObserver(f *Fleet) *observer {
	of := func(detail string) *measure.Series {
		return f.env.Recorder.Series(rundir.Key{Workload: f.env.Workload, Verb: "start", Resource: "pods", Scope: "resource", Via: ViaWatch, Detail: detail})
	}
	o := &observer{
		createToSchedule: of("created-scheduled"), scheduleToRun: of("scheduled-running"), createRun: of("created-running"),
		pods: map[string]*life{},
	}
	request := func(verb, detail string) *measure.Series {
		return f.env.Recorder.Series(rundir.Key{Workload: f.env.Workload, Verb: verb, Resource: "pods", Scope: "cluster", Detail: detail})
	}
	o.feed = feed{
		client: f.pods, clock: f.env.Clock, as: client.User{}, sink: o,
		list: request("list", "observer"), watch: request("watch", "observer"),
		rng: rand.New(rand.NewPCG(uint64(f.env.Seed), 3)),
	}
	return o
}

func (o *observer) run(ctx context.Context) { o.feed.run(ctx, o.feed.clock.Now()) }

// pod implements podSink.
func (o *observer) pod(kind string, at int64, p *lean.Pod) {
	if kind == "DELETED" {
		delete(o.pods, p.UID)
		return
	}
	l := o.pods[p.UID]
	if l == nil {
		l = &life{over: kind != "ADDED"}
		if kind == "ADDED" {
			l.created = at
		}
		o.pods[p.UID] = l
	}
	if kind == "LISTED" {
		if o.seen == nil {
			o.seen = map[string]*life{}
		}
		o.seen[p.UID] = l
	}
	if l.over {
		return
	}
	if l.scheduled == 0 && p.Node != "" {
		l.scheduled = at
		o.createToSchedule.Record(l.created, l.created, at, "", 0)
	}
	switch {
	case p.Deleting:
		l.over = true
	case p.Phase == string(corev1.PodRunning):
		l.over = true
		o.createRun.Record(l.created, l.created, at, "", 0)
		if l.scheduled != 0 {
			o.scheduleToRun.Record(l.scheduled, l.scheduled, at, "", 0)
		}
	}
}

// listed implements podSink.
func (o *observer) listed() {
	o.pods, o.seen = o.seen, nil
	if o.pods == nil {
		o.pods = map[string]*life{}
	}
}
