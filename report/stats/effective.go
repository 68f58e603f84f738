package stats

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Cluster is what one trial contributes to a quantile: how many of its values
// lie above it.
type Cluster struct{ Values, Above uint64 }

// doubted is how sure DesignEffect is of being no smaller than the truth.
const doubted = 0.8

// LeastClusters is how many trials it takes to say what their values are worth.
const LeastClusters = 3

// DesignEffect says how many dependent values are worth one independent value,
// at the quantile that the clusters were counted at: at least 1. It compares how much
// the trials differ in the share of their values above the quantile with how much they would if all values were independent. Whatever
// makes values of one trial alike is in it, at every distance in time: a slow
// second, a slow minute, a slow trial. Of few trials it is itself uncertain, so
// the upper bound that holds with a probability of 80 % is taken. NaN below
// LeastClusters, where nothing can be said.
//
// Source: Kish, Survey Sampling (1965), 5.4, for the ratio of variances; its
// bound is the chi-square one of a variance.
func DesignEffect(clusters []Cluster) float64 {
	var used int
	var values, above float64
	for _, c := range clusters {
		if c.Values > 0 {
			used++
			values, above = values+float64(c.Values), above+float64(c.Above)
		}
	}
	share := above / values
	if used < LeastClusters || !(share > 0 && share < 1) {
		return math.NaN()
	}
	var squares float64
	for _, c := range clusters {
		if n := float64(c.Values); n > 0 {
			off := float64(c.Above) - n*share
			squares += off * off / (n * share * (1 - share))
		}
	}
	return max(1, squares/distuv.ChiSquared{K: float64(used - 1)}.Quantile(1-doubted))
}
