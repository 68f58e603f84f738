// Package agenda does things at their time: what thousands of simulated
// clients have to do next waits on one heap and in one goroutine.
package agenda

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/measure"
)

// Agenda does things at their time: one goroutine waits for all of them.
type Agenda struct {
	clock *measure.Clock
	wake  chan struct{} // something earlier has come
	slots chan struct{} // bounds how many are done at once

	mu  sync.Mutex
	due dues
}

// errand is something to do at a time.
type errand struct {
	at int64 // ns since the clock's origin
	do func(ctx context.Context, intended int64)
}

// early is how long before an errand the wait for it becomes a fine one: the
// runtime's timers come up to a millisecond late.
const early = 1500 * time.Microsecond

// New makes an agenda that does at most so many things at once.
func New(clock *measure.Clock, atOnce int) *Agenda {
	return &Agenda{clock: clock, wake: make(chan struct{}, 1), slots: make(chan struct{}, atOnce)}
}

// Add puts something on the agenda, for the time at, in ns since the clock's
// origin. do is told that time, and runs in a goroutine of its own.
func (a *Agenda) Add(at int64, do func(ctx context.Context, intended int64)) {
	a.mu.Lock()
	heap.Push(&a.due, errand{at, do})
	first := a.due[0].at == at
	a.mu.Unlock()
	if first {
		select {
		case a.wake <- struct{}{}:
		default:
		}
	}
}

// Len returns how many things wait for their time.
func (a *Agenda) Len() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.due)
}

// Run does what is due until ctx ends and everything begun has returned. An
// errand that had to wait for one of those before it to return is given a context
// that says so (measure.Held).
func (a *Agenda) Run(ctx context.Context) {
	var begun sync.WaitGroup
	defer begun.Wait()
	sleeper := pace.NewSleeper(ctx, a.clock)
	defer sleeper.Stop()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var full wait
	for {
		a.mu.Lock()
		left := time.Hour
		if len(a.due) > 0 {
			left = time.Duration(a.due[0].at - a.clock.Now())
		}
		if left > early {
			a.mu.Unlock()
			timer.Reset(left - early)
			select {
			case <-timer.C:
			case <-a.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		next := heap.Pop(&a.due).(errand)
		a.mu.Unlock()
		if !sleeper.Until(next.at) {
			return
		}
		select {
		case a.slots <- struct{}{}:
		default:
			if now := a.clock.Now(); next.at > full.until {
				full.from = now
			}
			select {
			case a.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			full.until = a.clock.Now()
		}
		within := measure.Held(ctx, full.since(next.at))
		begun.Go(func() {
			defer func() { <-a.slots }()
			next.do(within, next.at)
		})
	}
}

// wait is the last stretch of time in which the agenda stood still, with as much
// under way as there may be: what came due meanwhile waited too, and goes on
// waiting for its turn in the same stretch.
type wait struct{ from, until int64 }

// since is how much of it there was from that time on.
func (w wait) since(at int64) int64 { return w.until - max(at, w.from) }

// dues is a heap of errands, the earliest first.
type dues []errand

func (d dues) Len() int           { return len(d) }
func (d dues) Less(i, j int) bool { return d[i].at < d[j].at }
func (d dues) Swap(i, j int)      { d[i], d[j] = d[j], d[i] }

// Push and Pop are for package heap.
func (d *dues) Push(x any) { *d = append(*d, x.(errand)) }

// Pop removes the last element.
func (d *dues) Pop() any {
	old := *d
	last := old[len(old)-1]
	old[len(old)-1] = errand{}
	*d = old[:len(old)-1]
	return last
}
