package stats

import (
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// TooAlike is the condition index from which on columns count as moving
// together: what of them is which cannot be told. Source: Belsley, Kuh & Welsch,
// Regression Diagnostics (1980), chapter 3, who call 30 and more a strong
// dependency, and an estimate harmed by it where it takes half of the variance.
const TooAlike = 30

// Together says which columns of a fit move together, so that their shares
// cannot be told apart, by Belsley, Kuh & Welsch's condition indexes and
// proportions of variance; condition is the largest index. Columns are scaled to
// length 1 and not centred, so a column that hardly changes moves with a
// constant one.
func Together(a [][]float64) (together []bool, condition float64) {
	together = make([]bool, len(a))
	if len(a) == 0 {
		return together, 1
	}
	if len(a[0]) < len(a) {
		for j := range together {
			together[j] = true
		}
		return together, math.Inf(1)
	}
	unit, _ := scaled(a)
	d := mat.NewDense(len(unit[0]), len(unit), nil)
	for j, column := range unit {
		d.SetCol(j, column)
	}
	var svd mat.SVD
	if !svd.Factorize(d, mat.SVDThin) {
		return together, math.NaN()
	}
	mu := svd.Values(nil)
	var v mat.Dense
	svd.VTo(&v)
	condition = 1
	floor := mu[0] * 1e-12 // of exact copies, so that nothing is divided by 0
	for j := range a {
		all, alike := 0.0, 0.0
		for k := range mu {
			m := max(mu[k], floor)
			part := v.At(j, k) * v.At(j, k) / (m * m)
			all += part
			condition = max(condition, mu[0]/m)
			if mu[0]/m >= TooAlike {
				alike += part
			}
		}
		together[j] = alike > all/2
	}
	return together, condition
}

// Jackknife returns half the width of the interval of an estimate, from the
// estimates that leave out one group of the data each: Tukey's t interval with
// one degree of freedom less than there are groups (Efron & Tibshirani, An
// Introduction to the Bootstrap (1993), 11.5). NaN for fewer than three groups.
func Jackknife(without []float64, confidence float64) float64 {
	g := float64(len(without))
	if g < 3 {
		return math.NaN()
	}
	mean, sum := 0.0, 0.0
	for _, v := range without {
		mean += v / g
	}
	for _, v := range without {
		sum += (v - mean) * (v - mean)
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: g - 1}.Quantile((1 + confidence) / 2)
	return t * math.Sqrt((g-1)/g*sum)
}
