package pace

import (
	"math/rand/v2"
	"time"
)

// Schedule says when the slots of a load are intended.
type Schedule interface {
	// Next returns the intended time of slot n, in ns since the schedule's
	// start, and whether there is such a slot. It is called once a slot, in
	// order, with the time that the slot before got; prev is 0 for the first.
	// It never returns less than prev.
	Next(n uint64, prev int64) (next int64, ok bool)
}

// Constant returns a schedule of rate slots a second, the first at 0. Slot n
// is computed from n, so that rounding does not add up. A rate of zero or less
// has no slots.
func Constant(rate float64) Schedule { return constant(rate) }

type constant float64

func (c constant) Next(n uint64, _ int64) (int64, bool) {
	if c <= 0 {
		return 0, false
	}
	return int64(float64(n) * float64(time.Second) / float64(c)), true
}

// Poisson returns a schedule of independent arrivals, rate a second on
// average: the gaps are exponential, drawn from seed. A schedule is good for
// one run. A rate of zero or less has no slots.
func Poisson(rate float64, seed int64) Schedule {
	return &poisson{rate: rate, rng: rand.New(rand.NewPCG(uint64(seed), 0x706f6973736f6e))}
}

type poisson struct {
	rate float64
	rng  *rand.Rand
}

func (p *poisson) Next(_ uint64, prev int64) (int64, bool) {
	if p.rate <= 0 {
		return 0, false
	}
	return prev + int64(p.rng.ExpFloat64()*float64(time.Second)/p.rate), true
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
