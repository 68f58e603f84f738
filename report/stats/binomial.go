package stats

import "gonum.org/v1/gonum/stat/distuv"

// ClopperPearson returns the exact equal-tailed interval of a probability of
// which k of n independent trials showed the event. It is the inversion of two
// one-sided binomial tests, so it covers the truth at least as often as it
// says. Source: Clopper & Pearson, Biometrika 26 (1934) 404.
func ClopperPearson(k, n int, confidence float64) (low, high float64) {
	tail := (1 - confidence) / 2
	return above(k, n, tail), below(k, n, tail)
}

// AtMost returns the exact one-sided upper bound of the same probability. Of no
// event in n trials it is 1 − α^(1/n), which the "rule of three" calls 3/n:
// what n trials without an event support, and no more.
func AtMost(k, n int, confidence float64) float64 { return below(k, n, 1-confidence) }

// below is the p at which k events or fewer have the probability tail.
func below(k, n int, tail float64) float64 {
	if k >= n {
		return 1
	}
	return distuv.Beta{Alpha: float64(k + 1), Beta: float64(n - k)}.Quantile(1 - tail)
}

// above is the p at which k events or more have the probability tail.
func above(k, n int, tail float64) float64 {
	if k <= 0 {
		return 0
	}
	return distuv.Beta{Alpha: float64(k), Beta: float64(n - k + 1)}.Quantile(tail)
}
