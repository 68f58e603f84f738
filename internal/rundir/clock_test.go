package rundir

import (
	"strings"
	"testing"
	"time"
)

func TestClockProblem(t *testing.T) {
	ns := func(d time.Duration) int64 { return int64(d) }
	for name, c := range map[string]struct {
		clock Clock
		says  string
	}{
		"not recorded":          {Clock{}, ""},
		"slewed for an hour":    {Clock{Readings: 3600, StepMax: ns(500 * time.Microsecond), Drift: ns(1800 * time.Millisecond)}, ""},
		"set back":              {Clock{Readings: 60, StepMax: ns(-time.Hour), Drift: ns(-time.Hour)}, "jumped by -1h0m0s"},
		"there and back again":  {Clock{Readings: 60, StepMax: ns(time.Minute)}, "jumped by 1m0s"},
		"moved in small steps":  {Clock{Readings: 60, StepMax: ns(100 * time.Millisecond), Drift: ns(6 * time.Second)}, "moved by 6s against"},
		"the machine slept":     {Clock{Readings: 60, StallMax: ns(40 * time.Second)}, "stood still for 40s"},
		"a busy second":         {Clock{Readings: 60, StallMax: ns(time.Second)}, ""},
		"just at what is borne": {Clock{Readings: 0, StepMax: ns(clockStep), Drift: ns(clockDrift), StallMax: ns(clockStall)}, ""},
	} {
		got := c.clock.Problem()
		if got == "" && c.says != "" || !strings.Contains(got, c.says) || c.says == "" && got != "" {
			t.Errorf("%s: %q, want %q", name, got, c.says)
		}
	}
}
