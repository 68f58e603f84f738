package client

import (
	"sync"
	"time"

	"github.com/storm-harness/storm/measure"
)

// deadlines ends the calls of one client, and of those made from it, when
// their time is up. All have the same timeout, so that the calls are in the
// order of their deadlines as they begin, and one timer serves them all: a
// timer a call would be set and stopped thousands of times a second.
type deadlines struct {
	clock *measure.Clock

	mu          sync.Mutex
	first, last *call
	timer       *time.Timer
	armed       bool
}

// add puts a call that begins now behind the others.
func (d *deadlines) add(k *call) {
	d.mu.Lock()
	if k.before = d.last; d.last != nil {
		d.last.after = k
	} else {
		d.first = k
	}
	d.last, k.listed = k, true
	if !d.armed {
		d.arm(k)
	}
	d.mu.Unlock()
}

// remove takes a call out that has ended. The timer is left to find out.
func (d *deadlines) remove(k *call) {
	d.mu.Lock()
	d.unlink(k)
	d.mu.Unlock()
}

// unlink takes a call out, if it is in; the lock is held.
func (d *deadlines) unlink(k *call) {
	if !k.listed {
		return
	}
	if k.before != nil {
		k.before.after = k.after
	} else {
		d.first = k.after
	}
	if k.after != nil {
		k.after.before = k.before
	} else {
		d.last = k.before
	}
	k.before, k.after, k.listed = nil, nil, false
}

// arm sets the timer for a call; the lock is held.
func (d *deadlines) arm(k *call) {
	d.armed = true
	left := time.Duration(k.deadline - d.clock.Now())
	if d.timer == nil {
		d.timer = time.AfterFunc(left, d.strike)
		return
	}
	d.timer.Reset(left)
}

// strike ends what is due.
func (d *deadlines) strike() {
	d.mu.Lock()
	for d.first != nil && d.first.deadline <= d.clock.Now() {
		k := d.first
		d.unlink(k)
		d.mu.Unlock()
		k.giveUp(errDeadline)
		d.mu.Lock()
	}
	if d.armed = false; d.first != nil {
		d.arm(d.first)
	}
	d.mu.Unlock()
}
