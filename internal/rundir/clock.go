package rundir

import (
	"fmt"
	"time"
)

// What a clock may do in a trial that counts. A daemon that slews the wall
// clock moves it by at most half a millisecond a second; everything beyond was
// set by a hand, by a leap, or by a machine that slept.
const (
	clockStep  = 500 * time.Millisecond
	clockDrift = time.Second
	clockSlew  = time.Millisecond // a second
	clockStall = 3 * time.Second
)

// Problem says why nothing may be concluded from a trial with such a clock;
// empty where there is nothing, or nothing was recorded. Times are measured by
// the monotonic clock and stay right when the other jumps, but leases,
// certificates and the components' own time-outs do not.
func (c Clock) Problem() string {
	step, drift, stall := time.Duration(c.StepMax), time.Duration(c.Drift), time.Duration(c.StallMax)
	switch {
	case step.Abs() > clockStep:
		return fmt.Sprintf("the wall clock jumped by %s during the trial", step.Round(time.Millisecond))
	case drift.Abs() > clockDrift+time.Duration(c.Readings)*clockSlew:
		return fmt.Sprintf("the wall clock moved by %s against the monotonic clock during the trial", drift.Round(time.Millisecond))
	case stall > clockStall:
		return fmt.Sprintf(stoodStill+"%s during the trial", stall.Round(time.Millisecond))
	}
	return ""
}
