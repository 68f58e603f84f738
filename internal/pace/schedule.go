package pace

import (
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
