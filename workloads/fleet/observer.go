package fleet

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/lean"
	"github.com/storm-harness/storm/workloads/reflector"
)

// ViaWatch marks the series that are no requests but what a watch showed.
const ViaWatch = rundir.ViaWatch

// NoScheduler is the name of a scheduler that there is not: a pod that waits for
// it stays Pending, on no node, and is meant to.
const NoScheduler = "storm-none"

// observer measures how long pods take to start, as the pod startup SLO says:
// observed by a watch, from the pod's creation until all of its containers run.
// The creation is the arrival of the pod's first event, because an object's
// own creationTimestamp has whole seconds only. What was there before the
// watch, or was created while it was broken, has no known beginning and does
// not count. The reflector calls it one event at a time.
type observer struct {
	reflector                                  reflector.Reflector
	createToSchedule, scheduleToRun, createRun *measure.Series

	pods map[string]*life // by UID
}

// life is when a pod was first seen in each state; 0: not yet, or not known.
type life struct {
	created, scheduled int64
	wanted             bool // it has a scheduler, which is to give it a node
	over               bool // it runs, or there is nothing to learn from it
	listed             bool // in the list that is coming in
}

func newObserver(f *Fleet) *observer {
	of := func(detail string) *measure.Series {
		return f.env.Recorder.Series(rundir.Key{Workload: f.env.Workload, Verb: "start", Resource: "pods", Scope: "resource", Via: ViaWatch, Detail: detail})
	}
	o := &observer{
		createToSchedule: of("created-scheduled"), scheduleToRun: of("scheduled-running"), createRun: of("created-running"),
		pods: map[string]*life{},
	}
	request := func(verb string) *measure.Series {
		return f.env.Recorder.Series(rundir.Key{Workload: f.env.Workload, Verb: verb, Resource: "pods", Scope: "cluster", Detail: "observer"})
	}
	o.reflector = reflector.Reflector{
		Shared: &reflector.Shared{
			Clock: f.env.Clock, Agenda: f.agenda, Seed: f.env.Seed, Streaming: !f.cfg.List, Objects: true, JSON: f.cfg.JSON,
			List: request("list"), Watch: request("watch"),
		},
		Client: f.kubelets, Path: "/api/v1/pods", Sink: o, ID: 1 << 40,
	}
	return o
}

// Event implements reflector.Sink.
func (o *observer) Event(at int64, ev lean.Event) error {
	var p lean.Pod
	if err := ev.Pod(&p); err != nil {
		return err
	}
	o.see(ev.Type, at, &p)
	return nil
}

// see takes what the watch shows of a pod.
func (o *observer) see(kind string, at int64, p *lean.Pod) {
	l := o.pods[p.UID]
	if kind == "DELETED" {
		if l != nil {
			o.unended(l, at)
		}
		delete(o.pods, p.UID)
		return
	}
	if l == nil {
		l = &life{over: kind != "ADDED", wanted: p.Scheduler != "" && p.Scheduler != NoScheduler}
		if kind == "ADDED" {
			l.created = at
		}
		o.pods[p.UID] = l
	}
	l.listed = l.listed || kind == "LISTED"
	if l.over {
		return
	}
	if l.scheduled == 0 && p.Node != "" {
		l.scheduled = at
		o.createToSchedule.Record(l.created, l.created, at, "", 0)
	}
	switch {
	case p.Deleting:
		o.unended(l, at)
		l.over = true
	case p.Phase == string(corev1.PodSucceeded), p.Phase == string(corev1.PodFailed):
		l.over = true
	case p.Phase == string(corev1.PodRunning):
		l.over = true
		o.createRun.Record(l.created, l.created, at, "", 0)
		if l.scheduled != 0 {
			o.scheduleToRun.Record(l.scheduled, l.scheduled, at, "", 0)
		}
	}
}

// settle counts the pods that do not run, now that the load is over.
func (o *observer) settle(now int64) {
	for _, l := range o.pods {
		o.unended(l, now)
	}
	clear(o.pods)
}

// unended counts a pod that will not be seen to run, because it is deleted or the
// load is over, if it has been at it for long: to leave it out would leave out the
// slowest. One without a node and a scheduler is none that anybody meant to run.
func (o *observer) unended(l *life, now int64) {
	switch {
	case l.over:
		return
	case l.scheduled != 0:
		o.scheduleToRun.Unended(l.scheduled, now, measure.CodeUnended)
	case l.wanted:
		o.createToSchedule.Unended(l.created, now, measure.CodeUnended)
	default:
		return
	}
	o.createRun.Unended(l.created, now, measure.CodeUnended)
}

// Synced implements reflector.Sink: what the list did not hold is gone.
func (o *observer) Synced(int64) {
	for uid, l := range o.pods {
		if !l.listed {
			delete(o.pods, uid)
		}
		l.listed = false
	}
}
