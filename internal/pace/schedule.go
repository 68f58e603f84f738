package pace

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/storm-harness/storm/internal/unit"
)

// Schedule says when the slots of a load are intended.
type Schedule interface {
	// Next returns the intended time of slot n, in ns since the schedule's
	// start, and whether there is such a slot. It is called once a slot, in
	// order, with the time that the slot before got; prev is 0 for the first.
	// It never returns less than prev.
	Next(n uint64, prev int64) (next int64, ok bool)
}

// Constant returns a schedule of rate slots a second, the first at 0. A rate of
// zero or less has no slots.
func Constant(rate float64) Schedule {
	return Even([]unit.Leg{{From: unit.Rate(rate), To: unit.Rate(rate)}})
}

// Cycle returns a schedule that goes through the phases again and again, once
// a period: slot n is phase n mod len(phases). The phases are ns within the
// period, in rising order. It has no slots without phases or without a period.
func Cycle(period time.Duration, phases []int64) Schedule {
	return cycle{period: int64(period), phases: phases}
}

type cycle struct {
	period int64
	phases []int64
}

func (c cycle) Next(n uint64, _ int64) (int64, bool) {
	k := uint64(len(c.phases))
	if k == 0 || c.period <= 0 {
		return 0, false
	}
	return int64(n/k)*c.period + c.phases[n%k], true
}

// Batch returns a schedule with size slots at each instant of s. A size below
// 2 is s itself.
func Batch(s Schedule, size int) Schedule {
	if size < 2 {
		return s
	}
	return batch{s: s, size: uint64(size)}
}

type batch struct {
	s    Schedule
	size uint64
}

func (b batch) Next(n uint64, prev int64) (int64, bool) {
	if n%b.size != 0 {
		return prev, true
	}
	return b.s.Next(n/b.size, prev)
}

// Periodic returns a schedule of many clients that each do something once a
// period, as each began at an instant of its own: its phase, drawn evenly from
// the first period. With a jitter above 0 each waits anew up to that share of a
// period longer, as wait.JitterUntil of k8s.io/apimachinery does, so that the
// rate is count/(period·(1+jitter/2)) in the long run. A schedule is good for
// one run. It has no slots without clients or without a period.
func Periodic(count int, period time.Duration, jitter float64, seed int64) Schedule {
	p := &periodic{period: int64(period), jitter: jitter, rng: rand.New(rand.NewPCG(uint64(seed), 0x706572696f646963))}
	if period <= 0 {
		return p
	}
	p.due = make(instants, max(count, 0))
	for i := range p.due {
		p.due[i] = p.rng.Int64N(p.period)
	}
	heap.Init(&p.due)
	return p
}

type periodic struct {
	period int64
	jitter float64
	rng    *rand.Rand
	due    instants
}

func (p *periodic) Next(uint64, int64) (int64, bool) {
	if len(p.due) == 0 {
		return 0, false
	}
	at := p.due[0]
	p.due[0] += p.period + int64(p.jitter*p.rng.Float64()*float64(p.period))
	heap.Fix(&p.due, 0)
	return at, true
}

// instants is a heap, the earliest first; it never grows or shrinks.
type instants []int64

func (h instants) Len() int           { return len(h) }
func (h instants) Less(i, j int) bool { return h[i] < h[j] }
func (h instants) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push and Pop are for package heap, which calls neither for Init and Fix.
func (h *instants) Push(x any) { *h = append(*h, x.(int64)) }

// Pop removes the last element.
func (h *instants) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
