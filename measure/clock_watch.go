package measure

import (
	"context"
	"sync"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
)

// ClockWatch compares the wall clock with the monotonic one once a second. A
// comparison at the end alone would miss a clock that was set and set back.
type ClockWatch struct {
	read func() (wall, mono time.Duration) // since the origin

	mu         sync.Mutex
	seen       rundir.Clock
	last, from time.Duration // wall less monotonic: at the last reading, and the first
	at         time.Duration // of the last reading, monotonic
}

// watchEvery is the time between two readings.
const watchEvery = time.Second

// NewClockWatch makes it for a trial's clock.
func NewClockWatch(c *Clock) *ClockWatch {
	origin := c.Origin()
	return &ClockWatch{read: func() (wall, mono time.Duration) {
		now := time.Now()
		return now.Round(0).Sub(origin.Round(0)), now.Sub(origin)
	}}
}

// Run reads both clocks each second until ctx ends, and once more then.
func (w *ClockWatch) Run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	w.look()
	for {
		select {
		case <-tick.C:
			w.look()
		case <-ctx.Done():
			w.look()
			return nil
		}
	}
}

// look takes a reading. The two clocks are read one after the other: where they
// seem to have moved apart they are read again, and the nearest reading counts.
func (w *ClockWatch) look() {
	const suspicious, again = 10 * time.Millisecond, 3
	w.mu.Lock()
	defer w.mu.Unlock()
	wall, mono := w.read()
	apart := wall - mono
	if w.seen.Readings == 0 {
		w.last, w.from = apart, apart
	}
	for range again {
		if (apart - w.last).Abs() <= suspicious {
			break
		}
		wall, mono := w.read()
		if (wall - mono - w.last).Abs() < (apart - w.last).Abs() {
			apart = wall - mono
		}
	}
	if step := apart - w.last; step.Abs() > time.Duration(w.seen.StepMax).Abs() {
		w.seen.StepMax = int64(step)
	}
	if w.seen.Readings > 0 {
		w.seen.StallMax = max(w.seen.StallMax, int64(mono-w.at-watchEvery))
	}
	w.seen.Drift = int64(apart - w.from)
	w.seen.Readings++
	w.last, w.at = apart, mono
}

// Result is what was seen so far.
func (w *ClockWatch) Result() rundir.Clock {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}
