package runner

import (
	"strings"
	"testing"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/scenarios"
)

// A load under its floor makes a trial invalid; one that nobody asked for does not.
func TestTheFloorOfALoad(t *testing.T) {
	for name, c := range map[string]struct {
		tally  tally
		floor  float64
		loaded bool
		want   string // a part of it; empty: no problem
	}{
		"above":            {tally{ok: 95, failed: 5}, .9, true, ""},
		"just at it":       {tally{ok: 90, failed: 10}, .9, true, ""},
		"under":            {tally{ok: 89, failed: 11}, .9, true, "89 of 100 requests succeeded in the steady phase, the floor is 90%"},
		"nothing ended":    {tally{}, .9, true, rundir.UnderFloor + " before the fault: no request of any load ended"},
		"no load":          {tally{}, .9, false, ""},
		"no floor":         {tally{failed: 7}, 0, true, ""},
		"nothing answered": {tally{failed: 7}, .1, true, "0 of 7"},
	} {
		got := c.tally.problem(c.floor, c.loaded)
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestSteadyFirst(t *testing.T) {
	act, calm, warm := scenarios.Step{Act: &acts.Step{}}, scenarios.Step{Phase: scenarios.PhaseSteady}, scenarios.Step{Phase: scenarios.PhaseWarmup}
	for name, c := range map[string]struct {
		timeline []scenarios.Step
		want     bool
	}{
		"steady, then an act": {[]scenarios.Step{warm, calm, act, calm}, true}, "an act at once": {[]scenarios.Step{warm, act, calm}, false}, "no act": {[]scenarios.Step{calm}, true}, "nothing": {nil, false},
	} {
		if got := steadyFirst(c.timeline); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
