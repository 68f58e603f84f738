package measure

import (
	"strings"
	"testing"
	"time"
)

// hands are two clocks that a test sets.
type hands struct{ wall, mono time.Duration }

func (h *hands) tick(wall, mono time.Duration) { h.wall, h.mono = h.wall+wall, h.mono+mono }

func TestClockWatch(t *testing.T) {
	for name, c := range map[string]struct {
		step func(w *ClockWatch, h *hands)
		says string
	}{
		"even": {func(*ClockWatch, *hands) {}, ""},
		"set and set back": {func(w *ClockWatch, h *hands) {
			h.tick(61*time.Second, time.Second)
			w.look()
			h.tick(-59*time.Second, time.Second)
			w.look()
		}, "jumped by 1m0s"},
		"set back": {func(w *ClockWatch, h *hands) {
			h.tick(-9*time.Second, time.Second)
			w.look()
		}, "jumped by -10s"},
		"stood still": {func(w *ClockWatch, h *hands) {
			h.tick(20*time.Second, 20*time.Second)
			w.look()
		}, "stood still for 19s"},
	} {
		h := &hands{}
		w := NewClockWatch(NewClock())
		w.read = func() (time.Duration, time.Duration) { return h.wall, h.mono }
		w.look()
		for range 5 {
			h.tick(time.Second, time.Second)
			w.look()
		}
		c.step(w, h)
		if got := w.Result(); got.Problem() != c.says && (c.says == "" || !strings.Contains(got.Problem(), c.says)) {
			t.Errorf("%s: %+v: %q, want %q", name, got, got.Problem(), c.says)
		}
	}
}

// One of the two readings was late, because the thread lost the processor
// between them: that is no jump.
func TestClockWatchReadsAgain(t *testing.T) {
	reads := 0
	w := NewClockWatch(NewClock())
	w.read = func() (wall, mono time.Duration) {
		reads++
		if reads == 2 {
			return time.Second, time.Second + 800*time.Millisecond
		}
		return time.Second, time.Second
	}
	w.look()
	w.look()
	if got := w.Result(); got.StepMax != 0 || got.Readings != 2 {
		t.Errorf("%+v", got)
	}
}
