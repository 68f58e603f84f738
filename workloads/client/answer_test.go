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
