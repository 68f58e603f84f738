package stats

import (
	"cmp"
	"math"
	"slices"
)

// Holm returns the p-values adjusted by Holm's step-down method: claims whose
// adjusted p is at most α are together wrong with probability at most α,
// however they depend on each other. NaN means that there was no test; it
// stays, and does not count. Source: Holm, Scand. J. Statist. 6 (1979) 65.
func Holm(p []float64) []float64 {
	adjusted := slices.Clone(p)
	var order []int
	for i, v := range p {
		if !math.IsNaN(v) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	floor := 0.0
	for k, i := range order {
		floor = max(floor, min(1, p[i]*float64(len(order)-k)))
		adjusted[i] = floor
	}
	return adjusted
}
