package stats

import "math"

// LogRatio returns the natural logarithm of value over base, for values that
// are 0 or more; +Inf stands for a time that was censored. Where both are
// infinite, or both 0, nothing tells them apart and the result is 0; where one
// alone is, the result is infinite, with the sign of the side that is worse or
// better.
func LogRatio(base, value float64) float64 {
	if base == value {
		return 0
	}
	return math.Log(value) - math.Log(base)
}

// Median returns the median of v, the lower and upper middle averaged; NaN for
// none. v must be sorted, and may hold infinities.
func Median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return mid(v[(len(v)-1)/2], v[len(v)/2])
}
