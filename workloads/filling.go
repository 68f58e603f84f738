package workloads

import (
	"context"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/lean"
)

// filling is what a watch shows of pods that fill a cluster: how many there
// are, have a node, and run. It is the sink of the watch.
type filling struct {
	series func(verb, detail string) *measure.Series

	mu      sync.Mutex
	pods    map[string]*filled // by UID
	now     census
	waiters []waiter
	// Of the stage that is under way. A bind counts in the window in which it
	// was seen, so that the series' throughput is the scheduler's.
	bind, start *measure.Series
}

// census counts the pods, at a time: of the last event, in ns since the clock's
// origin.
type census struct {
	at                   int64
	made, bound, running int
}

// waiter waits for the counts to be as it wants them.
type waiter struct {
	wants func(census) bool
	ready chan struct{} // closed when they are
}

// filled is one pod.
type filled struct {
	created        int64 // below 0: not known
	bound, running bool
	started        bool // it has run
	listed         bool // in the list that is coming in
}

func newFilling(series func(verb, detail string) *measure.Series) *filling {
	return &filling{series: series, pods: map[string]*filled{}}
}

// begin says that a stage begins, and returns how many pods have a node.
func (f *filling) begin(stage string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bind, f.start = f.series("bind", stage), f.series("start", stage)
	return f.now.bound
}

// await returns true when the counts are as wanted, and false when ctx ended
// before. wants is called with the lock held, now and at every change until it
// is true, so that it may take what it waited for and nobody takes it twice.
func (f *filling) await(ctx context.Context, wants func(census) bool) bool {
	if ctx.Err() != nil {
		return false
	}
	f.mu.Lock()
	if wants(f.now) {
		f.mu.Unlock()
		return true
	}
	w := waiter{wants, make(chan struct{})}
	f.waiters = append(f.waiters, w)
	f.mu.Unlock()
	select {
	case <-w.ready:
		return true
	case <-ctx.Done():
		return false // the load is over, and with it the waiting
	}
}

// Event implements reflector.Sink.
func (f *filling) Event(at int64, ev lean.Event) error {
	var p lean.Pod
	if err := ev.Pod(&p); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.see(at, ev.Type, &p)
	return nil
}

// see takes what the watch shows of a pod; the lock is held.
func (f *filling) see(at int64, kind string, p *lean.Pod) {
	o := f.pods[p.UID]
	if kind == "DELETED" {
		f.drop(at, p.UID, o)
		return
	}
	if o == nil {
		o = &filled{created: at}
		if kind != "ADDED" {
			o.created = -1
		}
		f.pods[p.UID] = o
		f.now.made++
		f.tell(at)
	}
	o.listed = o.listed || kind == "LISTED"
	if !o.bound && p.Node != "" {
		o.bound = true
		f.now.bound++
		f.count(f.bind, o, at)
	}
	runs := p.Phase == string(corev1.PodRunning) && !p.Deleting
	switch {
	case runs && !o.running:
		f.now.running++
		if !o.started {
			f.count(f.start, o, at)
		}
		f.tell(at)
		o.started = true
	case !runs && o.running:
		f.now.running--
		f.tell(at)
	}
	o.running = runs
}

// count counts what has happened to a pod; the lock is held. Without a stage
// nobody wants to know.
func (f *filling) count(s *measure.Series, o *filled, at int64) {
	if s != nil && o.created >= 0 {
		s.Record(o.created, o.created, at, "", 0)
	}
	f.tell(at)
}

// tell asks who waits for a change; the lock is held.
func (f *filling) tell(at int64) {
	f.now.at = at
	f.waiters = slices.DeleteFunc(f.waiters, func(w waiter) bool {
		if !w.wants(f.now) {
			return false
		}
		close(w.ready)
		return true
	})
}

// drop forgets a pod; the lock is held.
func (f *filling) drop(at int64, uid string, o *filled) {
	if o == nil {
		return
	}
	delete(f.pods, uid)
	f.now.made--
	if o.bound {
		f.now.bound--
	}
	if o.running {
		f.now.running--
	}
	f.tell(at)
}

// settle implements settler: of a pod without a node both are unended, having one
// and running.
func (f *filling) settle(now int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for uid, o := range f.pods {
		if f.start != nil && o.created >= 0 && !o.started {
			f.start.Unended(o.created, now, measure.CodeUnended)
			if !o.bound {
				f.bind.Unended(o.created, now, measure.CodeUnended)
			}
		}
		delete(f.pods, uid)
	}
}

// Synced implements reflector.Sink: what the list did not hold is gone.
func (f *filling) Synced(at int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for uid, o := range f.pods {
		if !o.listed {
			f.drop(at, uid, o)
		}
		o.listed = false
	}
}
