package fleet

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storm-harness/storm/workloads/client"
)

// What a kubelet does to a pod, and when. Each of these puts something on the
// agenda, which looks whether it is still wanted when its time has come.

// bound takes a pod that has been bound to the node; the lock is held.
func (k *kubelet) bound(at int64, p *pod) {
	k.hold(p)
	ready := at + int64(k.cfg.Pods.Start.At(k.draw()))
	told := k.tell(starting, k.creating, ready, func(ctx context.Context, p *pod) {
		k.request(ctx, p, p.tokens)
		k.agenda.Add(max(ready, k.env.Clock.Now()), func(ctx context.Context, at int64) { k.start(ctx, at, p) })
	})
	k.agenda.Add(at, func(ctx context.Context, at int64) { told(ctx, at, p) })
}

// tell returns what reports how a pod at that stage is, and goes on to next: once
// the server has that, or once the next status is due, which says more. Not before:
// a status that comes late must not undo the next one. What the server took for
// the first is no lateness of the second.
func (k *kubelet) tell(at stage, status func(*pod) corev1.PodStatus, due int64, next func(context.Context, *pod)) func(context.Context, int64, *pod) {
	var do func(context.Context, int64, *pod)
	do = func(ctx context.Context, intended int64, p *pod) {
		if !k.is(p, at) {
			return
		}
		if a := k.patch(ctx, intended, p, status(p)); again(a) && k.env.Clock.Now() < due {
			k.retry(p, do)
			return
		}
		next(ctx, p)
	}
	return do
}

// start reports the containers as running.
func (k *kubelet) start(ctx context.Context, intended int64, p *pod) {
	if !k.is(p, starting) {
		return
	}
	if a := k.patch(ctx, intended, p, k.running(p)); again(a) {
		k.retry(p, k.start)
		return
	}
	if k.enter(p, starting, running) {
		k.mu.Lock()
		k.lives(k.env.Clock.Now(), p)
		k.mu.Unlock()
	}
	k.events(ctx, p, startEvents)
}

// lives puts the end of a running pod's containers on the agenda, if they have
// one; the lock is held.
func (k *kubelet) lives(at int64, p *pod) {
	switch {
	case p.finite:
		k.agenda.Add(at+int64(k.cfg.Pods.Work.At(k.draw())), func(ctx context.Context, at int64) { k.complete(ctx, at, p) })
	case k.cfg.Pods.Crash > 0:
		crashes := k.draw() < k.cfg.Pods.Crash
		k.agenda.Add(at+int64(k.cfg.Pods.Life.At(k.draw())), func(ctx context.Context, at int64) {
			switch {
			case crashes:
				k.crash(ctx, at, p)
			case k.is(p, running):
				k.mu.Lock()
				k.lives(at, p)
				k.mu.Unlock()
			}
		})
	}
}

// complete reports that the containers have come to their end, in good order.
func (k *kubelet) complete(ctx context.Context, intended int64, p *pod) {
	if !k.is(p, running) {
		return
	}
	if a := k.patch(ctx, intended, p, k.succeeded(p)); again(a) {
		k.retry(p, k.complete)
		return
	}
	k.enter(p, running, ended) // its tokens are refreshed no more
	k.mu.Lock()
	k.release(p)
	k.mu.Unlock()
}

// The back-off of containers that crash: as a kubelet's, it doubles from the
// first to the last.
const (
	firstBackOff = 10 * time.Second
	lastBackOff  = 5 * time.Minute
)

// crash reports that a container has ended in error, and starts it again after
// its back-off.
func (k *kubelet) crash(ctx context.Context, intended int64, p *pod) {
	if !k.is(p, running) {
		return
	}
	k.mu.Lock()
	p.crashes++
	restart := intended + int64(min(firstBackOff<<min(p.crashes-1, 10), lastBackOff))
	k.mu.Unlock()
	if !k.enter(p, running, waiting) {
		return
	}
	k.tell(waiting, k.crashed, restart, func(_ context.Context, p *pod) {
		k.agenda.Add(max(restart, k.env.Clock.Now()), func(ctx context.Context, at int64) {
			if k.enter(p, waiting, starting) {
				k.start(ctx, at, p)
			}
		})
	})(ctx, intended, p)
	k.events(ctx, p, crashEvents)
}

// terminate takes a pod that has been deleted; the lock is held.
func (k *kubelet) terminate(at int64, p *pod) {
	gone := at + int64(k.cfg.Pods.Stop.At(k.draw()))
	k.agenda.Add(at, func(ctx context.Context, _ int64) {
		if k.is(p, stopping) {
			k.events(ctx, p, stopEvents)
		}
	})
	k.agenda.Add(gone, func(ctx context.Context, at int64) { k.stop(ctx, at, p) })
}

// stop reports the containers as ended and removes the pod from the API, as a
// kubelet does: at once, and only if it is still the same pod.
func (k *kubelet) stop(ctx context.Context, intended int64, p *pod) {
	if !k.is(p, stopping) {
		return
	}
	k.patch(ctx, intended, p, k.terminated(p))
	// The deletion follows the answer: what the server took for that is no
	// lateness of storm's.
	intended = k.env.Clock.Now()
	zero := int64(0)
	uid := types.UID(p.uid)
	body, err := json.Marshal(metav1.DeleteOptions{
		TypeMeta:           metav1.TypeMeta{Kind: "DeleteOptions", APIVersion: "v1"},
		GracePeriodSeconds: &zero, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if err != nil {
		k.env.Log.Error("encode a pod's deletion", "error", err)
		return
	}
	a := k.node.ask(ctx, k.node.calls, &client.Request{
		Method: http.MethodDelete, Path: path(p), Body: body, ContentType: client.JSON, As: k.node.as,
	}, nil, 0)
	a.Record(k.series.podDelete, intended)
	// 409 says that another pod has its name.
	if again(a) && a.Status != http.StatusConflict {
		k.retry(p, k.stop)
	}
}

// again says whether a request about a pod is to be made again: 404 says that
// the pod is gone.
func again(a client.Answer) bool { return !a.OK() && !a.Cut && a.Status != http.StatusNotFound }

// retry puts a failed request on the agenda again, as a kubelet's sync loop
// would: after a second, and up to ten.
func (k *kubelet) retry(p *pod, do func(context.Context, int64, *pod)) {
	k.mu.Lock()
	pause := min(time.Second<<min(p.tries, 10), 10*time.Second)
	p.tries++
	k.mu.Unlock()
	k.agenda.Add(k.env.Clock.Now()+int64(pause), func(ctx context.Context, at int64) { do(ctx, at, p) })
}

func path(p *pod) string { return "/api/v1/namespaces/" + p.namespace + "/pods/" + p.name }
