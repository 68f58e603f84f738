package fleet

import (
	"context"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/storm-harness/storm/workloads/client"
)

// What a kubelet does to a pod, and when. Each of these puts something on the
// agenda, which looks whether it is still wanted when its time has come.

// reaction is how long a kubelet takes from seeing a pod, or its deletion, to the first
// status that says so: 39 and 58 ms to the answer were those of v1.36.3 with a pod at a
// time on two idle cores, of which the requests are some.
const reaction = 30 * time.Millisecond

// react is when a kubelet that sees something at that time says so: what it does about
// it, and how long that takes, is drawn from a distribution, and comes after.
func react(at, done int64) int64 { return at + min(int64(reaction), (done-at)/3) }

// bound takes a pod that has been bound to the node; the lock is held. Its status is
// told three times: as it is seen, when its sandbox is there, halfway, and when its
// containers run.
func (k *kubelet) bound(at int64, p *pod) {
	ready := at + int64(k.cfg.Pods.Start.At(k.draw()))
	start := func(context.Context, *pod) {
		k.agenda.Add(max(ready, k.env.Clock.Now()), func(ctx context.Context, at int64) { k.start(ctx, at, p) })
	}
	sandbox := k.tell(starting, k.sandboxed, ready, start)
	mounted := func(ctx context.Context, p *pod) {
		now := k.env.Clock.Now()
		if now >= ready {
			start(ctx, p) // of statuses that are due together, a kubelet sends the last
			return
		}
		k.agenda.Add(now+(ready-now)/2, func(ctx context.Context, at int64) { sandbox(ctx, at, p) })
	}
	seen := k.tell(starting, k.creating, ready, func(ctx context.Context, p *pod) { k.request(ctx, p, p.tokens, mounted) })
	k.agenda.Add(react(at, ready), func(ctx context.Context, at int64) { seen(ctx, at, p) })
}

// resumed takes a pod that runs already, as the kubelet is told when it starts; the
// lock is held. It compares the status that it would tell with what the server has,
// and tells it where that is another: of a pod that waited for its back-off, which
// nobody knows of any more, or whose node was thought away.
func (k *kubelet) resumed(at int64, p *pod) {
	p.since = at
	k.lives(at, p)
	k.retoken(at, p)
	k.agenda.Add(at+int64(reaction), func(ctx context.Context, at int64) { k.compare(ctx, at, p) })
}

// compare reads a pod that runs, and tells how it is where the server has it otherwise.
func (k *kubelet) compare(ctx context.Context, intended int64, p *pod) {
	if !k.is(p, running) {
		return
	}
	if k.isReady(p) {
		if a, _ := k.read(ctx, intended, p); again(a) {
			k.retry(p, a, k.compare)
		}
		return
	}
	k.correct(ctx, intended, p)
}

// correct tells that a pod runs of which the server says otherwise.
func (k *kubelet) correct(ctx context.Context, intended int64, p *pod) {
	if !k.is(p, running) || k.isReady(p) {
		return
	}
	if a := k.patch(ctx, intended, p, k.running(p)); again(a) {
		k.retry(p, a, k.correct)
	}
}

func (k *kubelet) isReady(p *pod) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return p.ready
}

// tell returns what reports how a pod at that stage is, and goes on to next: once
// the server has that, or once the next status is due, which says more, and is all that
// a kubelet then sends. Not before:
// a status that comes late must not undo the next one. What the server took for
// the first is no lateness of the second.
func (k *kubelet) tell(at stage, status func(*pod) corev1.PodStatus, due int64, next func(context.Context, *pod)) func(context.Context, int64, *pod) {
	var do func(context.Context, int64, *pod)
	do = func(ctx context.Context, intended int64, p *pod) {
		if !k.is(p, at) {
			return
		}
		if k.env.Clock.Now() < due {
			if a := k.patch(ctx, intended, p, status(p)); again(a) && k.env.Clock.Now() < due {
				k.retry(p, a, do)
				return
			}
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
		k.retry(p, a, k.start)
		return
	}
	if k.enter(p, starting, running) {
		k.mu.Lock()
		p.since = k.env.Clock.Now()
		k.lives(p.since, p)
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
		k.retry(p, a, k.complete)
		return
	}
	k.enter(p, running, ended) // its tokens are refreshed no more
	k.mu.Lock()
	k.release(p)
	k.mu.Unlock()
}

// The back-off of containers that crash: as a kubelet's, there is none before the first
// restart, then it doubles from the first to the last, and there is none again for what
// ran for twice the last.
const (
	firstBackOff = 10 * time.Second
	lastBackOff  = 5 * time.Minute
	startAnew    = time.Second // what a container takes that is started at once
)

// backOff counts a crash at that time, and says how long its container waits; the lock
// is held.
func (p *pod) backOff(at int64) time.Duration {
	p.crashes++
	if at-p.since > 2*int64(lastBackOff) {
		p.streak = 0
	}
	p.streak++
	if p.streak == 1 {
		return 0
	}
	return min(firstBackOff<<min(p.streak-2, 10), lastBackOff)
}

// crash reports that a container has ended in error, that it waits for its back-off, if
// it has one, and starts it again.
func (k *kubelet) crash(ctx context.Context, intended int64, p *pod) {
	if !k.is(p, running) {
		return
	}
	k.mu.Lock()
	pause := p.backOff(intended)
	k.mu.Unlock()
	if !k.enter(p, running, waiting) {
		return
	}
	restart := intended + int64(max(pause, startAnew))
	start := func(_ context.Context, p *pod) {
		k.agenda.Add(max(restart, k.env.Clock.Now()), func(ctx context.Context, at int64) {
			if k.enter(p, waiting, starting) {
				k.start(ctx, at, p)
			}
		})
	}
	if pause == 0 {
		k.tell(waiting, k.exited, restart, start)(ctx, intended, p)
		return
	}
	waits := k.tell(waiting, k.crashed, restart, start)
	k.tell(waiting, k.exited, restart, func(ctx context.Context, p *pod) {
		k.agenda.Add(k.env.Clock.Now()+int64(startAnew), func(ctx context.Context, at int64) { waits(ctx, at, p) })
	})(ctx, intended, p)
	k.events(ctx, p, crashEvents)
}

// terminate takes a pod that has been deleted; the lock is held.
func (k *kubelet) terminate(at int64, p *pod) {
	gone := at + int64(k.cfg.Pods.Stop.At(k.draw()))
	k.agenda.Add(react(at, gone), func(ctx context.Context, at int64) {
		if k.is(p, stopping) {
			k.observe(ctx, at, p)
			k.events(ctx, p, stopEvents)
		}
		k.agenda.Add(max(gone, k.env.Clock.Now()), func(ctx context.Context, at int64) { k.stop(ctx, at, p) })
	})
}

// stop reports the containers as ended and has the pod removed from the API, as a
// kubelet does: only if it is still the same pod.
func (k *kubelet) stop(ctx context.Context, intended int64, p *pod) {
	if !k.is(p, stopping) {
		return
	}
	switch a := k.patch(ctx, intended, p, k.terminated(p)); {
	case again(a):
		k.retry(p, a, k.stop)
		return
	case !a.OK():
		return // gone already, or there is nobody left to ask
	}
	k.remove(ctx, k.env.Clock.Now(), p)
}

// remove removes a pod whose end the server knows, once it has been read again.
func (k *kubelet) remove(ctx context.Context, intended int64, p *pod) {
	if !k.is(p, stopping) {
		return
	}
	a, _ := k.read(ctx, intended, p)
	if a.OK() {
		a = k.erase(ctx, a.Done, p)
	}
	// 409 says that another pod has its name.
	if again(a) && a.Status != http.StatusConflict {
		k.retry(p, a, k.remove)
	}
}

// retry puts a failed request about a pod on the agenda again: after a second, and up to
// ten, which is how often a kubelet's sync loop comes to it whatever happens. What the
// Node authorizer does not know yet it will in a moment, and whatever a kubelet has to
// tell of another pod meanwhile has it try all of them.
func (k *kubelet) retry(p *pod, a client.Answer, do func(context.Context, int64, *pod)) {
	pause := time.Second
	if a.Status != http.StatusForbidden {
		k.mu.Lock()
		pause = min(time.Second<<min(p.tries, 10), syncPeriod)
		p.tries++
		k.mu.Unlock()
	}
	k.agenda.Add(k.env.Clock.Now()+int64(pause), func(ctx context.Context, at int64) { do(ctx, at, p) })
}
