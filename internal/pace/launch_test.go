package pace

import (
	"context"
	"slices"
	"testing"
)

// A slot that only begins something waits for nothing: what is due together is
// begun together, and idle comes before each wait and at the end.
func TestLauncherBeginsWhatIsDueAndThenIsIdle(t *testing.T) {
	clock := &manual{}
	l := Launcher{Pacer: Pacer{
		Clock: clock, Schedule: first{Batch(Constant(100), 3), 6}, InFlight: 10, Start: 5, wait: clock.wait,
	}}
	var saw []int64 // the intended times, and -1 for each time it was idle
	s := l.Run(t.Context(), func(s Slot) { saw = append(saw, s.Intended) }, func(Slot) { t.Error("refused") }, func() { saw = append(saw, -1) })
	late := 10*ms + 5
	if want := []int64{-1, 5, 5, 5, -1, late, late, late, -1}; !slices.Equal(saw, want) {
		t.Errorf("saw %v, want %v", saw, want)
	}
	if s.Slots != 6 || s.Refused != 0 {
		t.Errorf("%+v", s)
	}
}

// What is under way counts until Done says that it is over.
func TestLauncherRefusesBeyondTheBound(t *testing.T) {
	clock := &manual{}
	l := Launcher{Pacer: Pacer{Clock: clock, Schedule: first{Constant(100), 5}, InFlight: 2, Start: 1, wait: clock.wait}}
	var begun, refused []uint64
	l.Run(t.Context(), func(s Slot) {
		begun = append(begun, s.N)
		if s.N == 4 {
			t.Error("slot 4 began though two are under way")
		}
	}, func(s Slot) {
		refused = append(refused, s.N)
		if s.N == 2 {
			l.Done() // one of the two
		}
	}, func() {})
	if !slices.Equal(begun, []uint64{0, 1, 3}) || !slices.Equal(refused, []uint64{2, 4}) {
		t.Errorf("began %v, refused %v", begun, refused)
	}
}

func TestLauncherEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	clock := &manual{}
	l := Launcher{Pacer: Pacer{Clock: clock, Schedule: Constant(100), InFlight: 100, wait: clock.wait}}
	s := l.Run(ctx, func(s Slot) {
		if s.N == 3 {
			cancel()
		}
	}, func(Slot) {}, func() {})
	if s.Slots != 4 {
		t.Errorf("%d slots, want 4", s.Slots)
	}
}
