package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
)

// onTime is how late a renewal may be done after its intended time.
const onTime = time.Second

// tally adds up what a fleet recorded.
type tally struct {
	renewed uint64            // leases, whenever
	late    uint64            // of those, not certainly within onTime
	errors  map[string]uint64 // failures of all requests, by what failed
	failed  uint64            // renewals that failed
	windows int               // that renewals ended in
	first   int64             // when the first of them began, ns since the clock's origin
	lateIn  []time.Duration   // when those with late ones began, since the first
	slowest time.Duration     // of all renewals, from its intended time
	bad     error             // a window that cannot be read
}

// take adds a window. A histogram's bar counts as on time only if all of it is.
func (t *tally) take(w *rundir.Window) {
	if w == nil {
		return
	}
	heartbeat := w.Verb == rundir.VerbRenew && w.Via == rundir.ViaWatch
	for code, n := range w.Errors {
		if heartbeat {
			break // its requests have been counted by themselves
		}
		if t.errors == nil {
			t.errors = map[string]uint64{}
		}
		t.errors[w.Verb+" "+w.Resource+": "+code] += n
	}
	if !heartbeat {
		return
	}
	late := uint64(0)
	if w.OK > 0 {
		h, err := rundir.DecodeHist(w.Hist)
		if err != nil {
			t.bad = err
			return
		}
		for _, bar := range h.Distribution() {
			if bar.To > onTime.Microseconds() {
				late += uint64(bar.Count)
			}
		}
		t.slowest = max(t.slowest, time.Duration(h.Max())*time.Microsecond)
	}
	if t.windows++; t.windows == 1 {
		t.first = w.From
	}
	if late > 0 {
		t.lateIn = append(t.lateIn, time.Duration(w.From-t.first))
	}
	t.late += late
	t.renewed += w.OK
	for _, n := range w.Errors {
		t.failed += n
	}
}

// share returns which part of the renewals that were due was done on time.
func (t *tally) share(due float64) float64 {
	return max(0, float64(t.renewed)-float64(t.late)) / t.of(due)
}

// of is what a share is of: the renewals that were due, or all that were counted
// where those are more, since what is measured ends a little after its span.
func (t *tally) of(due float64) float64 { return max(due, float64(t.renewed+t.failed), 1) }

// lateness says how the late renewals were spread: a server that stood still for a
// moment has them all together.
func (t *tally) lateness() string {
	if t.late == 0 {
		return "none late"
	}
	const most = 6
	var from []string
	for _, at := range t.lateIn[:min(most, len(t.lateIn))] {
		from = append(from, fmt.Sprintf("%.0f", at.Seconds()))
	}
	if len(t.lateIn) > most {
		from = append(from, "…")
	}
	return fmt.Sprintf("%d late, in %d of %d windows (from %s s on), at most %s",
		t.late, len(t.lateIn), t.windows, strings.Join(from, ", "), t.slowest.Round(10*time.Millisecond))
}

// failures lists what failed, most first.
func (t *tally) failures() string {
	if len(t.errors) == 0 {
		return "nothing failed"
	}
	keys := slices.SortedFunc(maps.Keys(t.errors), func(a, b string) int { return int(t.errors[b]) - int(t.errors[a]) })
	var out []string
	for _, k := range keys[:min(3, len(keys))] {
		out = append(out, fmt.Sprintf("%d × %s", t.errors[k], k))
	}
	return "failed: " + strings.Join(out, ", ")
}
