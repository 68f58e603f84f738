package stats

import (
	"math"
	"math/rand/v2"
)

// Alternative is the direction of a test.
type Alternative int

// The alternatives: the effect is not theta, greater, or less.
const (
	TwoSided Alternative = iota
	Greater
	Less
)

// EnumerateUpTo is the largest sample whose 2ⁿ sign flips are all enumerated.
const EnumerateUpTo = 16

// Flips is the number of random flips taken of a larger sample.
const Flips = 100_000

// Flip is the result of a sign-flip test.
type Flip struct {
	P       float64
	Sampled int // random flips taken; 0 where all were enumerated and P is exact
}

// Error is the standard error that sampling gives P; 0 where it is exact.
func (f Flip) Error() float64 {
	if f.Sampled == 0 {
		return 0
	}
	return math.Sqrt(f.P * (1 - f.P) / float64(f.Sampled))
}

// SignFlip is Fisher's sign-flip (randomisation) test of the mean difference:
// the share of all ways to give the differences from theta their signs whose
// sum is at least as far out as the one seen. Up to EnumerateUpTo differences
// all 2ⁿ are enumerated; above, Flips random ones are drawn from the seed, and
// the sample seen counts as one of them, so that P is never 0.
//
// Infinite differences outweigh all finite ones together and weigh the same as
// each other: sums are compared by their infinite parts first. d must not hold
// NaN; theta must be finite.
//
// Source: Fisher, The Design of Experiments (1935), §21; the count of the
// sampled case: Phipson & Smyth, Stat. Appl. Genet. Mol. Biol. 9 (2010) 39.
func SignFlip(d []float64, theta float64, alt Alternative, seed uint64) Flip {
	if len(d) == 0 {
		return Flip{P: 1}
	}
	x := make([]sum, len(d))
	var seen sum
	var scale float64
	for i, v := range d {
		x[i] = split(v - theta)
		seen = seen.add(x[i])
		scale += math.Abs(x[i].finite)
	}
	// Sums that differ by rounding alone are equal.
	out := extreme{alt: alt, seen: seen, eps: scale * 1e-12}
	if len(d) <= EnumerateUpTo {
		count := out.enumerate(x, sum{})
		return Flip{P: float64(count) / math.Ldexp(1, len(d))}
	}
	r := rand.New(rand.NewPCG(seed, uint64(len(d))))
	count := 1
	for range Flips {
		count += out.one(flipped(x, r))
	}
	return Flip{P: float64(count) / (Flips + 1), Sampled: Flips}
}

// sum is a sum of values with the infinite ones counted apart.
type sum struct {
	infinite int
	finite   float64
}

func split(v float64) sum {
	switch {
	case math.IsInf(v, 1):
		return sum{infinite: 1}
	case math.IsInf(v, -1):
		return sum{infinite: -1}
	default:
		return sum{finite: v}
	}
}

func (s sum) add(o sum) sum { return sum{s.infinite + o.infinite, s.finite + o.finite} }
func (s sum) neg() sum      { return sum{-s.infinite, -s.finite} }

// atLeast says whether s ≥ o, but for rounding.
func (s sum) atLeast(o sum, eps float64) bool {
	if s.infinite != o.infinite {
		return s.infinite > o.infinite
	}
	return s.finite >= o.finite-eps
}

// abs returns s with its sign taken away.
func (s sum) abs() sum {
	if s.infinite < 0 || s.infinite == 0 && s.finite < 0 {
		return s.neg()
	}
	return s
}

// extreme counts the sums that are at least as far out as the one seen.
type extreme struct {
	alt  Alternative
	seen sum
	eps  float64
}

// one returns 1 for a sum that far out, else 0.
func (e extreme) one(s sum) int {
	var out bool
	switch e.alt {
	case Greater:
		out = s.atLeast(e.seen, e.eps)
	case Less:
		out = e.seen.atLeast(s, e.eps)
	default:
		out = s.abs().atLeast(e.seen.abs(), e.eps)
	}
	if out {
		return 1
	}
	return 0
}

// enumerate counts over all signs of x, added to the sum so far.
func (e extreme) enumerate(x []sum, so sum) int {
	if len(x) == 0 {
		return e.one(so)
	}
	return e.enumerate(x[1:], so.add(x[0])) + e.enumerate(x[1:], so.add(x[0].neg()))
}

// flipped returns the sum of x with random signs.
func flipped(x []sum, r *rand.Rand) sum {
	var s sum
	var bits uint64
	for i, v := range x {
		if i%64 == 0 {
			bits = r.Uint64()
		}
		if bits&1 == 1 {
			v = v.neg()
		}
		bits >>= 1
		s = s.add(v)
	}
	return s
}
