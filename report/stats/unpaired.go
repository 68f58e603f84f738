package stats

import (
	"math"
	"slices"
	"sort"
)

// MostUnpaired is the largest sample that Unpaired takes: its null
// distribution is exact, and its work grows with the fourth power of that.
const MostUnpaired = 100

// Unpaired holds two independent samples against each other, such as the log
// values of two runs of different days.
//
// The test is Wilcoxon's rank-sum test, also known as Mann and Whitney's: under
// the null hypothesis every way to divide the values among the samples is
// equally likely. Its inversion is the interval between two of the differences
// of a value of one and a value of the other sample, and its point estimate the
// median of those (Hodges & Lehmann). As with Paired, interval and p are one
// test, and with ties both are conservative.
//
// It assumes more than Paired does: that what differs between the samples is
// the effect and nothing else. No random order makes that true of two runs.
//
// Source: Mann & Whitney, Ann. Math. Statist. 18 (1947) 50; Hollander, Wolfe &
// Chicken, Nonparametric Statistical Methods, 3rd ed. (2014), 4.1–4.3.
type Unpaired struct {
	m, n int
	diff []float64 // sorted: every value less every base
	null []float64 // cumulative distribution of the count of pairs in which the base is larger
}

// NewUnpaired returns the samples, of at most MostUnpaired values each. They
// must not hold NaN; they may hold infinities.
func NewUnpaired(base, value []float64) *Unpaired {
	u := &Unpaired{m: len(base), n: len(value), diff: make([]float64, 0, len(base)*len(value))}
	for _, a := range base {
		for _, b := range value {
			d := 0.0 // two infinities of one sign are told apart by nothing
			if a != b {
				d = b - a
			}
			u.diff = append(u.diff, d)
		}
	}
	slices.Sort(u.diff)
	if len(u.diff) > 0 {
		u.null = rankSumCDF(u.m, u.n)
	}
	return u
}

// Estimate returns the Hodges-Lehmann estimate of the shift from base to
// value; NaN where a sample is empty.
func (u *Unpaired) Estimate() float64 { return Median(u.diff) }

// Interval returns the narrowest interval between two differences whose
// confidence is at least that asked; ok is false where the samples are too
// small for any (SmallestPUnpaired).
func (u *Unpaired) Interval(confidence float64) (i Interval, ok bool) {
	tail := (1 - confidence) / 2
	k := sort.Search(len(u.null), func(c int) bool { return u.null[c] > tail })
	if k == 0 {
		return Interval{Low: math.Inf(-1), High: math.Inf(1)}, false
	}
	return Interval{Low: u.diff[k-1], High: u.diff[len(u.diff)-k], Confidence: 1 - 2*u.null[k-1]}, true
}

// PGreater returns the exact one-sided p of the hypothesis that the shift is at
// most theta. 1 where a sample is empty.
func (u *Unpaired) PGreater(theta float64) float64 {
	return u.tail(sort.Search(len(u.diff), func(i int) bool { return u.diff[i] > theta }))
}

// PLess returns the exact one-sided p of the hypothesis that the shift is at
// least theta.
func (u *Unpaired) PLess(theta float64) float64 {
	return u.tail(len(u.diff) - sort.SearchFloat64s(u.diff, theta))
}

// PTwoSided returns the exact two-sided p of the hypothesis that the shift is
// theta: twice the smaller one-sided p.
func (u *Unpaired) PTwoSided(theta float64) float64 {
	return min(1, 2*min(u.PGreater(theta), u.PLess(theta)))
}

func (u *Unpaired) tail(count int) float64 {
	if len(u.null) == 0 {
		return 1
	}
	return u.null[min(count, len(u.null)-1)]
}

// SmallestPUnpaired returns the least two-sided p that samples of m and n
// values can give: two of the ways to divide them.
func SmallestPUnpaired(m, n int) float64 {
	ways := 1.0
	for i := 1; i <= min(m, n); i++ {
		ways *= float64(m+n-min(m, n)+i) / float64(i)
	}
	return min(1, 2/ways)
}

// rankSumCDF returns P(U ≤ u) for u = 0 … m·n, U the number of pairs in which
// the value of the first sample is the larger, m and n at least 1. Of two
// samples the largest value is one of the first with probability m/(m+n), and
// then larger than all n; that gives each distribution from two smaller ones.
func rankSumCDF(m, n int) []float64 {
	// p[j] is the distribution for i values against j, i growing.
	p := make([][]float64, n+1)
	for j := range p {
		p[j] = []float64{1}
	}
	for i := 1; i <= m; i++ {
		next := make([][]float64, n+1)
		next[0] = []float64{1}
		for j := 1; j <= n; j++ {
			d := make([]float64, i*j+1)
			larger := float64(i) / float64(i+j)
			for u, v := range p[j] { // i−1 against j
				d[u+j] += larger * v
			}
			for u, v := range next[j-1] { // i against j−1
				d[u] += (1 - larger) * v
			}
			next[j] = d
		}
		p = next
	}
	cdf := p[n]
	for u := 1; u < len(cdf); u++ {
		cdf[u] = min(1, cdf[u]+cdf[u-1])
	}
	return cdf
}
