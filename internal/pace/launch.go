package pace

import (
	"context"
	"sync/atomic"
)

// Launcher puts a load on whose slots only begin something: what a slot began
// is told to be over by Done, and no goroutine waits for it. It is good for
// one Run.
type Launcher struct {
	Pacer
	busy atomic.Int64
}

// Run calls begin for every slot at its intended time, or refused where
// InFlight are under way already, and idle before it waits, once nothing more
// is due. None of them may block. It returns once the schedule has no more
// slots or ctx has ended; what is under way then goes on.
func (l *Launcher) Run(ctx context.Context, begin, refused func(Slot), idle func()) Stats {
	r := &run{Pacer: &l.Pacer, ctx: ctx, refused: refused, busy: &l.busy, bound: max(l.InFlight, 1), start: l.Start}
	defer r.prepare()()
	defer idle()
	wait := r.wait
	r.wait = func(ctx context.Context, at int64) bool {
		if l.Clock.Now() < at {
			idle()
		}
		return wait(ctx, at)
	}
	for {
		slot, ok := r.take()
		if !ok {
			return r.stats
		}
		begin(slot)
	}
}

// Done says that what a slot began is over.
func (l *Launcher) Done() { l.busy.Add(-1) }
