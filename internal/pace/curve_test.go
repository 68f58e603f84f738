package pace

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/unit"
)

func legs(text string) []unit.Leg {
	var s unit.Schedule
	if err := s.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return s.Legs()
}

// shapes have known counts of slots by some times: the areas under their rates.
var shapes = map[string]map[time.Duration]float64{
	"100/s":                               {time.Second: 100, time.Hour: 360_000},
	"0/s..500/s over 60s":                 {30 * time.Second: 3750, 60 * time.Second: 15_000, 70 * time.Second: 20_000},
	"500/s..100/s over 10s":               {5 * time.Second: 2000, 10 * time.Second: 3000, 20 * time.Second: 4000},
	"100/s for 30s, 200/s for 30s, 400/s": {30 * time.Second: 3000, 45 * time.Second: 6000, 60 * time.Second: 9000, 70 * time.Second: 13_000},
	"0/s..90/s over 20s, 30/s for 10s, 90/s..0/s over 20s": {20 * time.Second: 900, 30 * time.Second: 1200, 40 * time.Second: 1875, 50 * time.Second: 2100},
	"1/m..7/m over 10m": {10 * time.Minute: 40, 20 * time.Minute: 110},
}

// The slots before a time are as many as the rate adds up to, at any time and
// however many came before: nothing adds up but the rate.
func TestEvenSchedulesHaveTheCountThatTheRateAddsUpTo(t *testing.T) {
	for text, counts := range shapes {
		s := Even(legs(text))
		for by, want := range counts {
			// Slot n is the first of which more than n are to come: so slot
			// want-1 comes before, and slot want at the time or after.
			last, ok := s.Next(uint64(want)-1, 0)
			if !ok || last >= int64(by) {
				t.Errorf("%s: slot %v is at %s, want it before %s", text, want-1, time.Duration(last), by)
			}
			// A ns of rounding, where a slot falls on the time itself.
			if next, ok := s.Next(uint64(want), 0); ok && next < int64(by)-1 {
				t.Errorf("%s: slot %v is at %s, want it at %s or later", text, want, time.Duration(next), by)
			}
		}
	}
}

func TestSchedulesNeverGoBack(t *testing.T) {
	for text := range shapes {
		for name, s := range map[string]Schedule{"even": Even(legs(text)), "poisson": Poisson(legs(text), 3)} {
			if at := times(s, 20_000); len(at) == 0 || !slices.IsSorted(at) {
				t.Errorf("%s, %s: %d slots, in order %v", name, text, len(at), slices.IsSorted(at))
			}
		}
	}
}

// Poisson arrivals follow the rate wherever it goes: by each time there are as
// many as it adds up to, within what chance allows.
func TestPoissonFollowsTheRate(t *testing.T) {
	const seeds = 60
	for text, counts := range shapes {
		for by, want := range counts {
			if want > 20_000 {
				continue
			}
			var sum, squares float64
			for seed := range int64(seeds) {
				s := Poisson(legs(text), seed)
				n := 0.
				for prev, ok := s.Next(0, 0); ok && prev < int64(by); prev, ok = s.Next(0, prev) {
					n++
				}
				sum, squares = sum+n, squares+n*n
			}
			mean := sum / seeds
			variance := (squares - seeds*mean*mean) / (seeds - 1)
			// The mean of 60 counts deviates by sqrt(want/60); the variance of
			// a Poisson count is its mean, and 60 of them tell it within a
			// relative sqrt(2/59) = .18. The seeds are fixed: no draw is luck.
			if math.Abs(mean-want) > 4*math.Sqrt(want/seeds) || math.Abs(variance/want-1) > .75 {
				t.Errorf("%s by %s: %.1f on average with variance %.1f, want %v", text, by, mean, variance, want)
			}
		}
	}
}

func BenchmarkEven(b *testing.B) {
	s := Even(legs("0/s..500/s over 60s, 100/s for 30s, 400/s"))
	prev := int64(0)
	for n := range b.N {
		prev, _ = s.Next(uint64(n), prev)
	}
}
