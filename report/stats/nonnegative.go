package stats

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// NonNegative returns the x ≥ 0 that makes the sum of squares of Ax − b least,
// by the active-set method of Lawson & Hanson, Solving Least Squares Problems
// (1974), chapter 23, algorithm NNLS. a holds the columns of A, each as long as
// b. A column that says nothing new (zero, or a copy of another) gets 0.
//
// The columns are scaled to length 1 first, so that tolerances mean the same
// for a count of thousands and one of a few.
func NonNegative(a [][]float64, b []float64) []float64 {
	n, m := len(a), len(b)
	x := make([]float64, n)
	if n == 0 || m == 0 {
		return x
	}
	unit, length := scaled(a)
	free := make([]bool, n) // the set P of the source: columns that may be positive
	tolerance := 1e-10 * norm(b)
	for range 3 * n { // each column enters about once; the bound ends what rounding might not
		w := gradient(unit, b, x)
		best := -1
		for j := range n {
			if !free[j] && length[j] > 0 && w[j] > tolerance && (best < 0 || w[j] > w[best]) {
				best = j
			}
		}
		if best < 0 {
			break
		}
		free[best] = true
		for {
			s, ok := unconstrained(unit, b, free)
			if !ok { // the newcomer is a mixture of the others, to rounding
				free[best] = false
				length[best] = 0
				break
			}
			step, hit := 1.0, false
			for j := range n {
				switch {
				case !free[j] || s[j] > 0:
				case x[j] > 0:
					step, hit = min(step, x[j]/(x[j]-s[j])), true
				default: // the newcomer, by rounding
					step, hit = 0, true
				}
			}
			if !hit {
				x = s
				break
			}
			for j := range n {
				if free[j] {
					x[j] += step * (s[j] - x[j])
					if x[j] <= 1e-14 {
						x[j], free[j] = 0, false
					}
				}
			}
		}
	}
	for j := range x {
		if x[j] > 0 {
			x[j] /= norm(a[j])
		}
	}
	return x
}

// unconstrained is the least squares solution in the free columns, 0 in the
// others; ok is false where those columns depend on each other.
func unconstrained(a [][]float64, b []float64, free []bool) (x []float64, ok bool) {
	var columns []int
	for j, f := range free {
		if f {
			columns = append(columns, j)
		}
	}
	x = make([]float64, len(a))
	if len(columns) == 0 {
		return x, true
	}
	if len(columns) > len(b) {
		return nil, false
	}
	d := mat.NewDense(len(b), len(columns), nil)
	for k, j := range columns {
		d.SetCol(k, a[j])
	}
	var qr mat.QR
	qr.Factorize(d)
	if !(qr.Cond() < 1e12) {
		return nil, false
	}
	var s mat.VecDense
	if err := qr.SolveVecTo(&s, false, mat.NewVecDense(len(b), b)); err != nil {
		return nil, false
	}
	for k, j := range columns {
		x[j] = s.AtVec(k)
	}
	return x, true
}

// gradient is Aᵀ(b − Ax).
func gradient(a [][]float64, b, x []float64) []float64 {
	left := Residuals(a, b, x)
	w := make([]float64, len(a))
	for j, column := range a {
		for i, v := range column {
			w[j] += v * left[i]
		}
	}
	return w
}

// Residuals is b − Ax, a in columns.
func Residuals(a [][]float64, b, x []float64) []float64 {
	left := make([]float64, len(b))
	copy(left, b)
	for j, column := range a {
		for i, v := range column {
			left[i] -= v * x[j]
		}
	}
	return left
}

// scaled returns the columns at length 1, and what their lengths were; a
// column of zeros stays as it is.
func scaled(a [][]float64) (unit [][]float64, length []float64) {
	for _, column := range a {
		l := norm(column)
		u := make([]float64, len(column))
		for i, v := range column {
			if l > 0 {
				u[i] = v / l
			}
		}
		unit, length = append(unit, u), append(length, l)
	}
	return unit, length
}

func norm(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}
