package stats

import (
	"math"
	"sort"

	"gonum.org/v1/gonum/stat/distuv"
)

// Ranks are the order statistics, from 1, that bound a quantile: the value of
// rank Low is at most the quantile, that of rank High at least, with the
// confidence achieved.
type Ranks struct {
	Low, High  uint64
	Confidence float64
}

// QuantileRanks returns the ranks of the distribution-free, equal-tailed
// interval of the q-quantile (0 < q < 1) in n independent values, or ok false
// where n is too small: NeedQuantile says how many it takes.
//
// The number of values below the quantile is binomial (n, q); each tail may
// hold (1 − confidence)/2. Source: David & Nagaraja, Order Statistics, 3rd ed.
// (2003), 7.1. Latencies of one run depend on each other, so for them the
// interval is narrower than the truth: a floor, as the report says.
func QuantileRanks(n uint64, q, confidence float64) (r Ranks, ok bool) {
	if n == 0 || !(q > 0 && q < 1) || n > math.MaxInt32 {
		return Ranks{}, false
	}
	tail := (1 - confidence) / 2
	b := distuv.Binomial{N: float64(n), P: q}
	// Rank Low misses when fewer than Low values are below: P(B ≤ Low−1).
	low := sort.Search(int(n), func(i int) bool { return b.CDF(float64(i)) > tail })
	// Rank High misses when at least High values are below: P(B ≥ High).
	high := sort.Search(int(n)+1, func(i int) bool { return 1-b.CDF(float64(i-1)) <= tail })
	if low == 0 || high > int(n) || math.Pow(q, float64(n)) > tail {
		return Ranks{}, false
	}
	return Ranks{
		Low: uint64(low), High: uint64(high),
		Confidence: b.CDF(float64(high-1)) - b.CDF(float64(low-1)),
	}, true
}

// NeedQuantile returns the least n for which QuantileRanks has an interval:
// 368 for the 0.99-quantile at 0.95, 3,688 for 0.999.
func NeedQuantile(q, confidence float64) int {
	tail := (1 - confidence) / 2
	return int(math.Ceil(math.Log(tail) / math.Log(max(q, 1-q))))
}
