package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/storm-harness/storm/report/stats"
)

// By hand: the columns are those of A.
func TestNonNegativeByHand(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		a    [][]float64
		b    []float64
		want []float64
	}{
		{"an exact solution is found", [][]float64{{1, 0, 1}, {0, 1, 1}}, []float64{2, 3, 5}, []float64{2, 3}},
		// Unconstrained (2, −1); with the second at 0 the first is the mean of b.
		{"what would be negative is 0", [][]float64{{1, 1}, {0, 1}}, []float64{2, 1}, []float64{1.5, 0}},
		{"all would be negative", [][]float64{{1, 0}, {0, 1}}, []float64{-1, -2}, []float64{0, 0}},
		// The third enters first (its column is nearest to b) and leaves again.
		{"a column leaves again", [][]float64{{1, 0, 0}, {0, 1, 0}, {1, 1, 1}}, []float64{3, 3, 0}, []float64{3, 3, 0}},
		{"scales far apart", [][]float64{{1e6, 0, 1e6}, {0, 1e-3, 1e-3}}, []float64{1, 2, 3}, []float64{1e-6, 2000}},
		{"a copy says nothing new", [][]float64{{1, 2, 3}, {1, 2, 3}}, []float64{2, 4, 6}, []float64{2, 0}},
		{"a column of zeros", [][]float64{{0, 0}, {1, 1}}, []float64{4, 6}, []float64{0, 5}},
		{"nothing to explain", [][]float64{{1, 1}}, []float64{0, 0}, []float64{0}},
	} {
		got := stats.NonNegative(c.a, c.b)
		for j := range c.want {
			if math.Abs(got[j]-c.want[j]) > 1e-9*math.Max(1, c.want[j]) {
				t.Errorf("%s: got %v, want %v", c.name, got, c.want)
				break
			}
		}
	}
}

// The conditions of Kuhn and Tucker say of any x whether it is the solution:
// x ≥ 0, no gradient where x > 0, and none that points inwards where x = 0.
func TestNonNegativeIsOptimal(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	zeros := 0
	for range 500 {
		m, n := 5+r.IntN(30), 1+r.IntN(5)
		a, b := make([][]float64, n), make([]float64, m)
		for i := range b {
			b[i] = r.NormFloat64()
		}
		for j := range a {
			a[j] = make([]float64, m)
			for i := range a[j] {
				a[j][i] = r.NormFloat64() + float64(r.IntN(2))
			}
		}
		x := stats.NonNegative(a, b)
		left := stats.Residuals(a, b, x)
		for j, column := range a {
			g := 0.0
			for i := range column {
				g += column[i] * left[i]
			}
			switch {
			case x[j] < 0, g > 1e-8, x[j] > 0 && g < -1e-8:
				t.Fatalf("x[%d] = %v with a gradient of %v", j, x[j], g)
			case x[j] == 0:
				zeros++
			}
		}
	}
	if zeros == 0 {
		t.Error("no bound was ever active: this tried nothing")
	}
}

func TestTogether(t *testing.T) {
	t.Parallel()
	dt := []float64{2, 2, 2, 2, 2, 2, 2, 2}
	steady := []float64{1000, 1001, 999, 1000, 1000, 1002, 998, 1000}
	bursts := []float64{0, 9, 1, 7, 0, 3, 12, 2}
	got, condition := stats.Together([][]float64{dt, steady, bursts})
	if !got[0] || !got[1] || got[2] {
		t.Errorf("a steady rate moves with time and bursts do not; got %v", got)
	}
	if condition < 1000 || condition > 3000 { // 2/0.0011, by the rates' spread
		t.Errorf("condition %v", condition)
	}
	if got, condition := stats.Together([][]float64{dt, bursts}); got[0] || got[1] || condition > 5 {
		t.Errorf("two that differ: %v, %v", got, condition)
	}
	if got, _ := stats.Together([][]float64{{1, 2}, {2, 1}, {1, 1}}); !got[0] || !got[1] || !got[2] {
		t.Errorf("more columns than rows: %v", got)
	}
	if got, condition := stats.Together([][]float64{bursts, bursts, dt}); !got[0] || !got[1] || got[2] || condition < 1e10 {
		t.Errorf("copies: %v, %v", got, condition)
	}
}

func TestJackknife(t *testing.T) {
	t.Parallel()
	// Of a mean of 1, 2, 3: those that leave one out are 2.5, 2, 1.5; the
	// standard error is 1/√3 and t of 2 degrees of freedom is 4.3027.
	if got, want := stats.Jackknife([]float64{2.5, 2, 1.5}, 0.95), 4.30265/math.Sqrt(3); math.Abs(got-want) > 1e-4 {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := stats.Jackknife([]float64{1, 2}, 0.95); !math.IsNaN(got) {
		t.Errorf("two groups gave %v", got)
	}
}
