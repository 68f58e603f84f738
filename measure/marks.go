package measure

import (
	"slices"
	"sync"

	"github.com/storm-harness/storm/internal/rundir"
)

// Marks takes the events of a trial, from any goroutine, and hands each on, in
// one order for all: to events.jsonl first, then to those who subscribed.
type Marks struct {
	clock *Clock

	mu   sync.Mutex
	sink func(rundir.Event)
	subs []*subscriber
}

type subscriber struct{ take func(rundir.Event) }

// NewMarks returns a Marks that writes to sink, where it puts the origin event
// that ties the clock to the wall.
func NewMarks(clock *Clock, sink func(rundir.Event)) *Marks {
	m := &Marks{clock: clock, sink: sink}
	m.Mark(rundir.Event{Kind: rundir.EventOrigin, Wall: clock.Origin().Round(0)})
	return m
}

// Mark hands the event on. An At of 0 means now.
func (m *Marks) Mark(e rundir.Event) {
	if e.At == 0 && e.Kind != rundir.EventOrigin {
		e.At = m.clock.Now()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sink(e)
	for _, s := range m.subs {
		s.take(e)
	}
}

// Subscribe has take called with every later event until cancel. It must not
// block, nor call Mark.
func (m *Marks) Subscribe(take func(rundir.Event)) (cancel func()) {
	s := &subscriber{take}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.subs = append(m.subs, s)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.subs = slices.DeleteFunc(m.subs, func(o *subscriber) bool { return o == s })
	}
}
