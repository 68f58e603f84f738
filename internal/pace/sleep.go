package pace

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// Early is how long before an instant a timer for it is to be set. The runtime waits for
// timers with a resolution of a millisecond (epoll_wait), so a timer alone
// comes up to that much late; the rest is slept by nanosleep, which the kernel
// ends within its timer slack of 50 µs. It blocks a thread for that short
// time, and no processor.
const Early = 1500 * time.Microsecond

// Sleeper waits for instants of a clock. One goroutine at a time may use it.
type Sleeper struct {
	clock Clock
	timer *time.Timer
}

// NewSleeper returns a sleeper; it must be stopped.
func NewSleeper(c Clock) *Sleeper {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return &Sleeper{clock: c, timer: t}
}

// Stop releases the timer.
func (s *Sleeper) Stop() { s.timer.Stop() }

// Until returns true when the clock has reached at, or false as soon as ctx
// has ended; it looks at ctx even where at has passed.
func (s *Sleeper) Until(ctx context.Context, at int64) bool {
	for {
		if ctx.Err() != nil {
			return false
		}
		left := time.Duration(at - s.clock.Now())
		if left <= 0 {
			return true
		}
		if left <= Early {
			ts := unix.NsecToTimespec(int64(left))
			// A signal ends it before its time; then the loop sleeps the rest.
			_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, 0, &ts, nil)
			continue
		}
		s.timer.Reset(left - Early)
		select {
		case <-s.timer.C:
		case <-ctx.Done():
			s.timer.Stop()
			return false
		}
	}
}
