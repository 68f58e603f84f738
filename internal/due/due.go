// Package due ends things whose time is up. Those of one list are given the
// same time, more or less, so that they are in the order of their deadlines as
// they come, and one timer serves them all: a timer for each of thousands of
// requests a second would be set and stopped as often.
package due

import (
	"sync"
	"time"
)

// Clock gives times as ns since an origin. *measure.Clock is one.
type Clock interface{ Now() int64 }

// Expirer is what has a deadline. Expire is called at most once, by a goroutine
// of the list's, which it should not hold up.
type Expirer interface{ Expire() }

// Item is a place in a list, a part of what has the deadline. The zero value is
// in none.
type Item struct {
	at            int64
	of            Expirer
	before, after *Item
	listed        bool
}

// List is deadlines in the order of their coming. Its methods are safe for
// concurrent use.
type List struct {
	clock Clock

	mu          sync.Mutex
	first, last *Item
	timer       *time.Timer
	armed       bool
}

// NewList returns an empty list.
func NewList(c Clock) *List { return &List{clock: c} }

// Add puts an item behind the others: of expires at the instant, which should
// be no earlier than that of those before it, or it waits for them.
func (l *List) Add(i *Item, at int64, of Expirer) {
	l.mu.Lock()
	i.at, i.of = at, of
	if i.before = l.last; l.last != nil {
		l.last.after = i
	} else {
		l.first = i
	}
	l.last, i.listed = i, true
	if !l.armed {
		l.arm(i)
	}
	l.mu.Unlock()
}

// Remove takes an item out, if it is in. The timer is left to find out.
func (l *List) Remove(i *Item) {
	l.mu.Lock()
	l.unlink(i)
	l.mu.Unlock()
}

// Empty says that nothing waits for its deadline.
func (l *List) Empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first == nil && l.last == nil
}

// unlink takes an item out, if it is in; the lock is held.
func (l *List) unlink(i *Item) {
	if !i.listed {
		return
	}
	if i.before != nil {
		i.before.after = i.after
	} else {
		l.first = i.after
	}
	if i.after != nil {
		i.after.before = i.before
	} else {
		l.last = i.before
	}
	i.before, i.after, i.listed = nil, nil, false
}

// arm sets the timer for an item; the lock is held.
func (l *List) arm(i *Item) {
	l.armed = true
	left := time.Duration(i.at - l.clock.Now())
	if l.timer == nil {
		l.timer = time.AfterFunc(left, l.strike)
		return
	}
	l.timer.Reset(left)
}

// strike ends what is due.
func (l *List) strike() {
	l.mu.Lock()
	for l.first != nil && l.first.at <= l.clock.Now() {
		i := l.first
		l.unlink(i)
		l.mu.Unlock()
		i.of.Expire()
		l.mu.Lock()
	}
	if l.armed = false; l.first != nil {
		l.arm(l.first)
	}
	l.mu.Unlock()
}
