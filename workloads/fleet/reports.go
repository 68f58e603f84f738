package fleet

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/workloads/agenda"
)

// reports is when a kubelet reports its node's status: it looks at it every so
// often, and sends it where it has changed since, or was not sent for long. What
// nobody sees, a look without a report, does not happen here.
type reports struct {
	look, every time.Duration
	change      unit.Durations // between two changes; 0s: never
	rng         *rand.Rand

	sent    int64 // the look at which it was sent last, ns since the clock's origin
	due     int64 // from when on it is sent unchanged
	changes int64 // when it changes next; 0: never
}

// newReports begins with a report at the look of that time.
func newReports(look, every time.Duration, change unit.Durations, first int64, rng *rand.Rand) *reports {
	r := &reports{look: min(look, every), every: every, change: change, rng: rng, sent: first - int64(every), due: first}
	if gap := r.gap(); gap > 0 {
		// As if the changes went on since long ago, and not all began at once.
		r.changes = first - int64(every) + 1 + int64(rng.Float64()*float64(gap))
	}
	return r
}

// gap draws the time between two changes.
func (r *reports) gap() time.Duration { return r.change.At(r.rng.Float64()) }

// next returns the look at which the status is sent next, and whether it will
// have changed. After a change the next report of an unchanged status comes up
// to half its interval earlier or later, once, as kubelets keep themselves from
// reporting all together.
func (r *reports) next() (at int64, changed bool) {
	at = r.lookFrom(r.due)
	if r.changes != 0 {
		if seen := r.lookFrom(r.changes); seen <= at {
			at, changed = seen, true
		}
	}
	r.sent, r.due = at, at+int64(r.every)
	if !changed {
		return at, false
	}
	r.due += int64((r.rng.Float64() - .5) * float64(r.every))
	for r.changes <= at {
		r.changes += max(int64(r.gap()), 1)
	}
	return at, true
}

// lookFrom is the first look at or after a time, and after the last report.
func (r *reports) lookFrom(t int64) int64 {
	look := int64(r.look)
	n := max((t-r.sent+look-1)/look, 1)
	return r.sent + n*look
}

// statuses has every node report its status until ctx ends.
func (f *Fleet) statuses(ctx context.Context) {
	a := agenda.New(f.env.Clock, f.cfg.InFlight)
	rng := rand.New(rand.NewPCG(uint64(f.env.Seed), 2))
	begun := f.env.Clock.Now()
	for i, n := range f.nodes {
		// Phases as if the nodes had been started at different times.
		first := begun + rng.Int64N(max(int64(f.cfg.StatusReport)/grid, 1))*grid
		own := rand.New(rand.NewPCG(uint64(f.env.Seed), 3<<32|uint64(i)))
		f.reportNext(a, n, newReports(f.cfg.StatusCheck, f.cfg.StatusReport, f.cfg.StatusChange, first, own), begun)
	}
	a.Run(ctx)
}

// reportNext puts a node's next report on the agenda, which does the same in
// its turn.
func (f *Fleet) reportNext(a *agenda.Agenda, n *node, r *reports, from int64) {
	at, changed := r.next()
	for at < from {
		at, changed = r.next()
	}
	a.Add(at, func(ctx context.Context, at int64) {
		f.reportNext(a, n, r, at)
		if !n.begun.Load() {
			return // it reports as it starts
		}
		f.beats.Add(1)
		if !changed {
			f.report(ctx, n, at, f.beats.Done)
			return
		}
		f.reportWith(ctx, n, at, images(int(n.pulls.Add(1))), f.beats.Done)
	})
}
