package measure

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
)

// probeSeries is one operation at one target: the probes under way and the
// outcomes that are kept.
type probeSeries struct {
	id  seriesID
	do  func(ctx context.Context, n uint64) (code string) // of an apiserver
	rec *Series

	mu      sync.Mutex
	pending map[uint64]int64 // by slot: the intended time
	log     []outcome        // in order of completion
	last    outcome          // the last success, by completion
}

// outcome is a probe's outcome. There may be very many, so it is small: codes
// are few and share their texts.
type outcome struct {
	intended, done int64
	code           string
}

func (s *probeSeries) begin(slot pace.Slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending[slot.N] = slot.Intended
}

func (s *probeSeries) forget(slot pace.Slot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, slot.N)
}

// end takes a probe's outcome, and says whether it is kept.
func (s *probeSeries) end(slot pace.Slot, now int64, code string, near bool) (rundir.Probe, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, slot.N)
	o := outcome{slot.Intended, now, code}
	if code == "" {
		s.last = o
	}
	if code == "" && !near {
		return rundir.Probe{}, false
	}
	s.log = append(s.log, o)
	return s.probe(o), true
}

// keepLast keeps the last success, which begins the gap that a client sees.
func (s *probeSeries) keepLast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.done > 0 && (len(s.log) == 0 || s.log[len(s.log)-1] != s.last) {
		s.log = append(s.log, s.last)
	}
}

func (s *probeSeries) probe(o outcome) rundir.Probe {
	return rundir.Probe{
		Intended: o.intended, Done: o.done, Err: o.code,
		Layer: s.id.layer, Op: s.id.op, Shard: s.id.shard, Target: s.id.target,
	}
}

// between returns the kept outcomes of probes intended up to to and done at or
// after from, and the last success that was done before from.
func (s *probeSeries) between(from, to int64) []rundir.Probe {
	s.mu.Lock()
	defer s.mu.Unlock()
	var before outcome
	var out []rundir.Probe
	for _, o := range s.log {
		switch {
		case o.intended > to:
		case o.done >= from:
			out = append(out, s.probe(o))
		case o.code == "" && o.done > before.done:
			before = o
		}
	}
	if before.done > 0 {
		out = append(out, s.probe(before))
	}
	return out
}

// recovered applies the definition of Recovery to what is known already: the
// outcomes of all probes intended before the first that is still under way.
func (s *probeSeries) recovered(n int, d Disturbance) bool {
	s.mu.Lock()
	known := make([]outcome, 0, 64)
	open := int64(-1)
	for _, intended := range s.pending {
		if intended >= d.Intended && (open < 0 || intended < open) {
			open = intended
		}
	}
	for _, o := range s.log {
		if o.intended >= d.Intended && (open < 0 || o.intended < open) {
			known = append(known, o)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(known, func(a, b outcome) int { return cmp.Compare(a.intended, b.intended) })
	_, ok := recovered(len(known), n, d.Injected, func(i int) (int64, bool) { return known[i].intended, known[i].code == "" })
	return ok
}
