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
	windows int               // that renewals ended in, of which
	lateIn  int               // so many have late ones
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
	t.windows++
	if late > 0 {
		t.lateIn++
	}
	t.late += late
	t.renewed += w.OK
	for _, n := range w.Errors {
		t.failed += n
	}
}

// share returns which part of the renewals that were due was done on time.
func (t *tally) share(due float64) float64 {
	counted := float64(t.renewed + t.failed)
	return max(0, float64(t.renewed)-float64(t.late)) / max(due, counted, 1)
}

// lateness says how the late renewals were spread: a server that stood still for a
// moment has them all together.
func (t *tally) lateness() string {
	if t.late == 0 {
		return "none late"
	}
	return fmt.Sprintf("%d late, in %d of %d windows, at most %s", t.late, t.lateIn, t.windows, t.slowest.Round(10*time.Millisecond))
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
