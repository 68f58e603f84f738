package stats

import (
	"math"
	"slices"
	"sort"
)

// Paired is a sample of paired differences, such as one log ratio a block,
// with the one test that decides about it.
//
// The test flips the sign of every difference at random, which is fair under
// the null hypothesis of no effect, and looks at Wilcoxon's sum of signed
// ranks: the exact sign-flip test of the ranks, known as the signed-rank test.
// Its inversion is the interval between two Walsh averages (the averages of
// any two differences, each with itself included), and its point estimate the
// median of those, the Hodges-Lehmann estimate. So interval and p cannot
// contradict each other: at 1 − α the interval leaves out θ exactly where the
// one-sided p at θ is at most α/2. It assumes that differences are
// exchangeable in sign, that is symmetric about the effect; pairing two trials
// of a block in random order gives that.
//
// Source: Hollander, Wolfe & Chicken, Nonparametric Statistical Methods, 3rd
// ed. (2014), 3.1–3.3; Hodges & Lehmann, Ann. Math. Statist. 34 (1963) 598.
// With ties or zeros the closed interval and these p are conservative: they
// never claim more than 1 − α or less than α (Noether, JASA 62 (1967) 184).
type Paired struct {
	n     int
	walsh []float64 // sorted
	null  []float64 // cumulative distribution of the smaller rank sum
}

// NewPaired returns the sample. d must not hold NaN; it may hold infinities.
// The work grows with the square of len(d), which is a number of blocks.
func NewPaired(d []float64) *Paired {
	p := &Paired{n: len(d), walsh: make([]float64, 0, len(d)*(len(d)+1)/2), null: signedRankCDF(len(d))}
	for i, a := range d {
		for _, b := range d[i:] {
			p.walsh = append(p.walsh, mid(a, b))
		}
	}
	slices.Sort(p.walsh)
	return p
}

// mid is the average of two values. +Inf and −Inf meet at 0: both stand for
// "further than anything seen", and nothing says which is further.
func mid(a, b float64) float64 {
	if math.IsInf(a, 0) && a == -b {
		return 0
	}
	return a/2 + b/2
}

// N returns the number of differences.
func (p *Paired) N() int { return p.n }

// Estimate returns the Hodges-Lehmann estimate, the median of the Walsh
// averages; NaN for an empty sample. An infinite one is a bound: the effect is
// beyond everything that could be measured.
func (p *Paired) Estimate() float64 {
	m := len(p.walsh)
	if m == 0 {
		return math.NaN()
	}
	return mid(p.walsh[(m-1)/2], p.walsh[m/2])
}

// Interval is a confidence interval, closed at both ends.
type Interval struct {
	Low, High  float64
	Confidence float64 // achieved; at least what was asked
}

// Interval returns the narrowest interval between two Walsh averages whose
// confidence is at least that asked (0.95). ok is false where the sample is too
// small for any: n differences reach 1 − 2/2ⁿ, so 0.95 needs six.
func (p *Paired) Interval(confidence float64) (i Interval, ok bool) {
	tail := (1 - confidence) / 2
	// The k-th Walsh average from either end, with k−1 the largest rank sum
	// whose lower tail is no more than tail.
	k := sort.Search(len(p.null), func(c int) bool { return p.null[c] > tail })
	if p.n == 0 || k == 0 {
		return Interval{Low: math.Inf(-1), High: math.Inf(1)}, false
	}
	return Interval{
		Low:        p.walsh[k-1],
		High:       p.walsh[len(p.walsh)-k],
		Confidence: 1 - 2*p.null[k-1],
	}, true
}

// PGreater returns the exact one-sided p of the hypothesis that the effect is
// at most theta; small where it is greater. 1 for an empty sample.
func (p *Paired) PGreater(theta float64) float64 {
	atMost := sort.Search(len(p.walsh), func(i int) bool { return p.walsh[i] > theta })
	return p.null[min(atMost, len(p.null)-1)]
}

// PLess returns the exact one-sided p of the hypothesis that the effect is at
// least theta; small where it is less.
func (p *Paired) PLess(theta float64) float64 {
	atLeast := len(p.walsh) - sort.SearchFloat64s(p.walsh, theta)
	return p.null[min(atLeast, len(p.null)-1)]
}

// PTwoSided returns the exact two-sided p of the hypothesis that the effect is
// theta: twice the smaller one-sided p.
func (p *Paired) PTwoSided(theta float64) float64 {
	return min(1, 2*min(p.PGreater(theta), p.PLess(theta)))
}

// SmallestP returns the least two-sided p that n differences can give, 2/2ⁿ;
// 1 for none.
func SmallestP(n int) float64 {
	return min(1, math.Ldexp(2, -n))
}

// NeedPaired returns how many differences an interval of that confidence
// needs: 6 for 0.95, 8 for 0.99.
func NeedPaired(confidence float64) int {
	n := 1
	for SmallestP(n) > 1-confidence && n < 64 {
		n++
	}
	return n
}

// signedRankCDF returns P(T ≤ t) for t = 0 … n(n+1)/2, T the sum of a random
// subset of the ranks 1 … n: the null distribution of the signed-rank test.
// Each rank is in or out with probability one half; adding rank after rank
// gives the distribution without enumerating the 2ⁿ subsets.
func signedRankCDF(n int) []float64 {
	pmf := make([]float64, n*(n+1)/2+1)
	pmf[0] = 1
	top := 0
	for rank := 1; rank <= n; rank++ {
		top += rank
		for t := top; t >= 0; t-- {
			in := 0.0
			if t >= rank {
				in = pmf[t-rank]
			}
			pmf[t] = (pmf[t] + in) / 2
		}
	}
	for t := 1; t < len(pmf); t++ {
		pmf[t] = min(1, pmf[t]+pmf[t-1])
	}
	return pmf
}
