// Package pace runs an open-loop load: every slot has an intended time from a
// schedule, which nothing that happens ever shifts. A slot that comes late is
// run at once, however many have gathered, and a slot that finds the bound of
// requests in flight reached is refused at its intended time. So a server
// that stalls cannot make the load wait for it, and the stall shows in the
// latencies instead of hiding in the gaps between requests.
package pace

import (
	"context"
	"sync"
	"sync/atomic"
)

// Clock gives times as ns since an origin. *measure.Clock is one.
type Clock interface{ Now() int64 }

// Slot is one request to be made.
type Slot struct {
	N        uint64 // from 0
	Intended int64  // ns since the clock's origin
}

// Pacer puts a load on. It is good for one Run.
type Pacer struct {
	Clock    Clock
	Schedule Schedule
	// InFlight is how many slots may run at once; less than 1 means 1.
	InFlight int
	// Start is the instant, by the clock, of the schedule's 0; left at 0 it is
	// the instant of Run.
	Start int64

	// wait returns when the clock has reached the instant, or false when ctx
	// has ended. Tests with a clock of their own set it.
	wait func(ctx context.Context, at int64) bool
}

// Run calls do for every slot at its intended time, each on one of a pool of
// goroutines that are used again, or refused where InFlight slots are running
// already. refused must not block. Run returns what happened once the
// schedule has no more slots or ctx has ended, and every do has returned; do
// gets ctx and should heed it.
func (p *Pacer) Run(ctx context.Context, do func(context.Context, Slot), refused func(Slot)) Stats {
	r := &run{
		Pacer: p, ctx: ctx, do: do, refused: refused, busy: new(atomic.Int64),
		bound: max(p.InFlight, 1), lead: make(chan struct{}), start: p.Start,
	}
	defer r.prepare()()
	r.hire()
	r.workers.Wait()
	return r.stats
}

// run is the state of one Run. The workers follow the pattern of leader and
// followers: one of them has the lead, waits for the next slot, hands the lead
// on and runs the slot itself. So the goroutine that woke at the intended time
// is the one that sends, and no hand-over to another delays it. Everything but
// busy belongs to whoever has the lead.
type run struct {
	*Pacer
	ctx     context.Context
	do      func(context.Context, Slot)
	refused func(Slot)
	wait    func(context.Context, int64) bool

	lead    chan struct{}
	workers sync.WaitGroup
	hired   int
	bound   int
	busy    *atomic.Int64 // slots running

	start int64
	n     uint64
	prev  int64
	stats Stats
}

// prepare sets the start and how slots are waited for; what it returns is to be
// called at the end.
func (r *run) prepare() func() {
	if r.start == 0 {
		r.start = r.Clock.Now()
	}
	if r.wait = r.Pacer.wait; r.wait != nil {
		return func() {}
	}
	s := NewSleeper(r.ctx, r.Clock)
	r.wait = func(_ context.Context, at int64) bool { return s.Until(at) }
	return s.Stop
}

// hire starts a worker that has the lead.
func (r *run) hire() {
	r.hired++
	r.workers.Go(func() {
		for {
			slot, ok := r.take()
			if !ok {
				close(r.lead)
				return
			}
			r.pass()
			r.do(r.ctx, slot)
			r.busy.Add(-1)
			if _, ok := <-r.lead; !ok {
				return
			}
		}
	})
}

// take waits for the next slot that may run; it refuses those above the bound.
func (r *run) take() (Slot, bool) {
	for {
		at, ok := r.Schedule.Next(r.n, r.prev)
		if !ok {
			return Slot{}, false
		}
		slot := Slot{N: r.n, Intended: r.start + at}
		if !r.wait(r.ctx, slot.Intended) {
			return Slot{}, false
		}
		r.n, r.prev = r.n+1, at
		r.stats.Slots++
		r.stats.lag(r.Clock.Now() - slot.Intended)
		if r.busy.Load() < int64(r.bound) {
			r.busy.Add(1)
			return slot, true
		}
		r.stats.Refused++
		r.refused(slot)
	}
}

// pass hands the lead to an idle worker, or to a new one. There are at most
// bound+1 workers, of which at most bound run a slot, so that where no more
// may be hired one is about to become idle and the send cannot block for long.
func (r *run) pass() {
	select {
	case r.lead <- struct{}{}:
		return
	default:
	}
	if r.hired <= r.bound {
		r.hire()
		return
	}
	r.lead <- struct{}{}
}
