package workloads

import (
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
)

// Only what a watch saw from one state to the other counts.
func TestSpansCountWhatWasSeenFromEndToEnd(t *testing.T) {
	begun, ended := sight{uid: "a", begun: true}, sight{uid: "a", begun: true, ended: true}
	failed := sight{uid: "a", begun: true, ended: true, code: "failed"}
	gone := sight{uid: "a", begun: true}
	type step struct {
		kind string
		seen sight
	}
	const synced, slowly = "synced", "slowly"
	for name, c := range map[string]struct {
		steps      []step
		ok, failed uint64
		unended    uint64
	}{
		"begun and ended":             {steps: []step{{"ADDED", begun}, {"MODIFIED", begun}, {"MODIFIED", ended}}, ok: 1},
		"ended once":                  {steps: []step{{"ADDED", begun}, {"MODIFIED", ended}, {"MODIFIED", ended}, {"DELETED", ended}}, ok: 1},
		"ended by its deletion":       {steps: []step{{"ADDED", sight{uid: "a"}}, {"MODIFIED", begun}, {"DELETED", ended}}, ok: 1},
		"failed":                      {steps: []step{{"ADDED", begun}, {"MODIFIED", failed}}, failed: 1},
		"begun before the watch":      {steps: []step{{"LISTED", begun}, {synced, sight{}}, {"MODIFIED", ended}}},
		"deleted before its end":      {steps: []step{{"ADDED", begun}, {"DELETED", gone}, {"MODIFIED", ended}}}, // the last is another, whose beginning nobody saw
		"deleted after long":          {steps: []step{{"ADDED", begun}, {slowly, sight{}}, {"DELETED", gone}}, unended: 1},
		"ended, and deleted late":     {steps: []step{{"ADDED", begun}, {"MODIFIED", ended}, {slowly, sight{}}, {"DELETED", gone}}, ok: 1},
		"only its end was seen":       {steps: []step{{"DELETED", ended}}},
		"ended while it was broken":   {steps: []step{{"ADDED", begun}, {"LISTED", ended}, {synced, sight{}}}, ok: 1},
		"gone while it was broken":    {steps: []step{{"ADDED", begun}, {synced, sight{}}, {"DELETED", ended}}},
		"not over when the load is":   {steps: []step{{"ADDED", begun}}, unended: 1},
		"there still, and then ended": {steps: []step{{"ADDED", begun}, {"LISTED", begun}, {synced, sight{}}, {"MODIFIED", ended}}, ok: 1},
	} {
		var ok, bad, unended uint64
		rec := measure.NewRecorder(measure.NewClock(), func(w rundir.Window) {
			ok, bad, unended = ok+w.OK, bad+w.Errors["failed"], unended+w.Errors[measure.CodeUnended]
		})
		s := newSpans(&Env{Name: "x", Recorder: rec}, "complete", resources["jobs"], "created-complete", nil)
		late := int64(0)
		for i, st := range c.steps {
			switch at := late + int64(i); st.kind {
			case synced:
				s.Synced(at)
			case slowly:
				late = int64(30 * time.Second)
			default:
				s.see(at, st.kind, st.seen)
			}
		}
		s.settle(int64(time.Minute))
		rec.Close()
		if ok != c.ok || bad != c.failed || unended != c.unended {
			t.Errorf("%s: %d counted, %d failed, %d unended; want %d, %d and %d", name, ok, bad, unended, c.ok, c.failed, c.unended)
		}
	}
}
