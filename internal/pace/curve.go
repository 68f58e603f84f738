package pace

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"

	"github.com/storm-harness/storm/internal/unit"
)

// Even returns a schedule whose rate is that of the legs, one after the other:
// slot n is intended when the rate, added up over time, comes to n, so that a
// constant rate has its first slot at 0. Every slot is computed from n alone,
// so that rounding does not add up. The schedule ends with a last leg that has
// an end.
func Even(legs []unit.Leg) Schedule { return even{newCurve(legs)} }

type even struct{ curve }

func (e even) Next(n uint64, prev int64) (int64, bool) {
	at, ok := e.when(float64(n))
	return max(at, prev), ok
}

// Poisson returns a schedule of independent arrivals whose rate is on average
// that of the legs, drawn from seed. It is good for one run.
//
// The arrivals of a Poisson process at rate 1 are exponential gaps added up;
// where the rate varies, each comes when the rate, added up over time, gets
// there: the inversion method of Çinlar, Introduction to Stochastic Processes, 1975.
func Poisson(legs []unit.Leg, seed int64) Schedule {
	return &poisson{curve: newCurve(legs), rng: rand.New(rand.NewPCG(uint64(seed), 0x706f6973736f6e))}
}

type poisson struct {
	curve
	rng *rand.Rand
	sum float64
}

func (p *poisson) Next(_ uint64, prev int64) (int64, bool) {
	p.sum += p.rng.ExpFloat64()
	at, ok := p.when(p.sum)
	return max(at, prev), ok
}

// never is beyond what a clock can tell: 146 years, in ns.
const never = 1 << 62

// curve is how many slots have come by each time: the rate added up.
type curve []stretch

// stretch is one leg of a curve.
type stretch struct {
	from     int64   // ns since the schedule's start
	before   float64 // slots that came before it
	a, b     float64 // slots a second at its beginning and its end
	duration int64   // ns; 0: without end
}

// newCurve adds the legs up. A last leg with an end is followed by a rate of 0.
func newCurve(legs []unit.Leg) curve {
	var c curve
	next := stretch{}
	for _, l := range legs {
		s := next
		s.a, s.b, s.duration = max(l.From.PerSecond(), 0), max(l.To.PerSecond(), 0), int64(l.For)
		c = append(c, s)
		if s.duration <= 0 {
			return c
		}
		next = stretch{from: s.from + s.duration, before: s.before + (s.a+s.b)/2*l.For.Seconds()}
	}
	return append(c, next)
}

// when returns the latest time, in ns, by which no more than x slots have come,
// and whether there is a time by which more have.
func (c curve) when(x float64) (int64, bool) {
	// The last stretch that begins with no more than x: those before it that
	// begin with x as well have a rate of 0.
	i := sort.Search(len(c), func(i int) bool { return c[i].before > x }) - 1
	s := c[i]
	left := x - s.before
	if s.duration <= 0 {
		if ns := left * float64(time.Second) / s.a; s.a > 0 && ns < never {
			return s.from + int64(ns), true
		}
		return 0, false
	}
	// left = a·t + (b−a)/(2·d)·t², solved for t. This form of the solution is
	// exact for a = b and loses no digits where the two are close.
	slope := (s.b - s.a) / (float64(s.duration) / float64(time.Second))
	divisor := s.a + math.Sqrt(max(s.a*s.a+2*slope*left, 0))
	if divisor <= 0 { // a ramp from 0, at its beginning
		return s.from, true
	}
	return s.from + min(int64(2*left*float64(time.Second)/divisor), s.duration), true
}
