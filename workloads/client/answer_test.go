package client

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
)

// What the end of its load cuts off counts if it had waited long; what a process
// that hangs up gives up, never.
func TestWhatHadWaitedLongWhenItsLoadEndedIsCounted(t *testing.T) {
	const deadline = 8 * time.Second // so that long is two
	long, short := time.Duration(Patience(deadline))+100*time.Millisecond, 20*time.Millisecond
	for name, c := range map[string]struct {
		wait    time.Duration
		late    time.Duration // from the intended time to the sending
		hangUp  bool
		unended uint64
	}{
		"after long": {wait: long, unended: 1}, "young": {wait: short},
		"sent late": {wait: short, late: long, unended: 1}, "hung up": {wait: long, hangUp: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := peer(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
			cl := connect(t, cfg, deadline)
			got := map[string]uint64{}
			rec := measure.NewRecorder(cl.clock, func(w rundir.Window) {
				for code, n := range w.Errors {
					got[code] += n
				}
			})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			end := cancel
			if c.hangUp {
				end = cl.HangUp
			}
			time.AfterFunc(c.wait, end)
			a := cl.Do(ctx, &Request{Method: "GET", Path: "/"}, nil, 0)
			if !a.Cut {
				t.Errorf("%+v", a)
			}
			a.Record(rec.Series(rundir.Key{Verb: "get"}), a.Sent-int64(c.late))
			rec.Close()
			if got[measure.CodeUnended] != c.unended || len(got) != int(c.unended) {
				t.Errorf("counted %v, want %d", got, c.unended)
			}
		})
	}
}

// What a request waited behind others of its own load counts as latency, and is no
// lateness of storm's; what is closed-loop cannot be late at all.
func TestWhatWasHeldIsNotSentLate(t *testing.T) {
	const held, late = int64(5 * time.Second), int64(2 * time.Second)
	cfg := peer(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", Protobuf) })
	cl := connect(t, cfg, time.Minute)
	for name, c := range map[string]struct {
		held   int64
		record func(a Answer, s *measure.Series)
		lag    int64
		took   int64 // at least
	}{
		"held":                  {held, func(a Answer, s *measure.Series) { a.Record(s, a.Sent-held) }, 0, held},
		"held by twice as much": {2 * held, func(a Answer, s *measure.Series) { a.Record(s, a.Sent-held) }, 0, held},
		"held, and late":        {held, func(a Answer, s *measure.Series) { a.Record(s, a.Sent-held-late) }, late, held + late},
		"late":                  {0, func(a Answer, s *measure.Series) { a.Record(s, a.Sent-late) }, late, late},
		"closed-loop":           {0, func(a Answer, s *measure.Series) { a.Observe(s) }, 0, 0},
	} {
		a := cl.Do(measure.Held(t.Context(), c.held), &Request{Method: "GET", Path: "/"}, nil, 0)
		var got rundir.Window
		rec := measure.NewRecorder(cl.clock, func(w rundir.Window) { got = w })
		c.record(a, rec.Series(rundir.Key{Verb: "get"}))
		rec.Close()
		h, err := rundir.DecodeHist(got.Hist)
		if err != nil || h.TotalCount() != 1 {
			t.Fatalf("%s: %v, %+v", name, err, a)
		}
		if got.LagMax != c.lag || h.Max() < c.took/1000*999/1000 {
			t.Errorf("%s: sent %d ns late, want %d; took %d µs", name, got.LagMax, c.lag, h.Max())
		}
	}
}
