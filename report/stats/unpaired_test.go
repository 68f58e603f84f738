package stats_test

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/storm-harness/storm/report/stats"
)

// printed compares with a figure of which so many digits were printed.
func printed(t *testing.T, what string, got, want float64, digits int) {
	t.Helper()
	if math.Abs(got-want) > 0.5000001*math.Pow(10, -float64(digits)) {
		t.Errorf("%s = %v, published is %v", what, got, want)
	}
}

func TestUnpairedAgainstPublishedVectors(t *testing.T) {
	type vector struct {
		Name              string
		Base, Value       []float64
		TwoSided, Greater *float64
		Digits            int
	}
	for _, v := range vectors[[]vector](t, "unpaired.json") {
		u := stats.NewUnpaired(v.Base, v.Value)
		if v.TwoSided != nil {
			printed(t, v.Name+" two-sided", u.PTwoSided(0), *v.TwoSided, v.Digits)
		}
		if v.Greater != nil {
			printed(t, v.Name+" greater", u.PGreater(0), *v.Greater, v.Digits)
		}
	}
}

// distinct returns samples all of whose differences are distinct.
func distinct(m, n int) (base, value []float64) {
	for i := range m {
		base = append(base, math.Sqrt(2)*float64(i))
	}
	for i := range n {
		value = append(value, math.Sqrt(3)*float64(i)+0.1)
	}
	return base, value
}

// The interval leaves out as many differences at either end as the published
// table rejects.
func TestUnpairedRanksAgainstTables(t *testing.T) {
	for _, c := range vectors[struct{ Critical [][3]int }](t, "ranksum.json").Critical {
		base, value := distinct(c[0], c[1])
		i, ok := stats.NewUnpaired(base, value).Interval(0.95)
		if !ok {
			if c[2] >= 0 {
				t.Errorf("%v: no interval", c)
			}
			continue
		}
		left := 0
		for _, a := range base {
			for _, b := range value {
				if b-a < i.Low {
					left++
				}
			}
		}
		if left != c[2] {
			t.Errorf("%d against %d: %d differences lie below the interval, the table has %d", c[0], c[1], left, c[2])
		}
	}
}

// By brute force: every way to divide the values among the samples counts the
// same. No figures are published for most of these.
func TestUnpairedIsTheEnumeration(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for m := 1; m <= 6; m++ {
		for n := 1; n <= 6; n++ {
			base, value := sample(r, m), sample(r, n)
			all := append(append([]float64{}, base...), value...)
			larger := func(in uint) (count int) { // pairs in which the value of the set is the larger
				for i, a := range all {
					for j, b := range all {
						if in>>i&1 == 1 && in>>j&1 == 0 && a > b {
							count++
						}
					}
				}
				return count
			}
			var seen uint
			for i := range value {
				seen |= 1 << (m + i)
			}
			ways, asFar := 0, 0
			for set := range uint(1) << (m + n) {
				if bits.OnesCount(set) == n {
					ways++
					if larger(set) >= larger(seen) {
						asFar++
					}
				}
			}
			u := stats.NewUnpaired(base, value)
			near(t, "greater p by enumeration", u.PGreater(0), float64(asFar)/float64(ways))
			near(t, "smallest p", stats.SmallestPUnpaired(m, n), min(1, 2/float64(ways)))
		}
	}
}

// Interval and p are one test, also with ties and infinite values.
func TestUnpairedIntervalInvertsTheTest(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for range 300 {
		base, value := sample(r, 4+r.IntN(9)), sample(r, 4+r.IntN(9))
		if r.IntN(2) == 0 {
			base[0], value[0], value[1] = math.Inf(1), math.Inf(1), math.Inf(-1)
			for i := range value[2:] {
				value[2+i] = math.Round(value[2+i])
			}
		}
		u := stats.NewUnpaired(base, value)
		i, ok := u.Interval(0.95)
		if !ok || i.Confidence < 0.95 || i.Low > u.Estimate() || u.Estimate() > i.High {
			t.Fatalf("%+v around %v of %v and %v", i, u.Estimate(), base, value)
		}
		for _, theta := range []float64{-3, -1, 0, 0.2, 0.5, 1, 2} {
			out := theta < i.Low || theta > i.High
			if p := u.PTwoSided(theta); out != (p <= 1-i.Confidence+1e-12) {
				t.Fatalf("%v is outside %+v: %v, and p is %v", theta, i, out, p)
			}
		}
	}
	if u := stats.NewUnpaired(nil, []float64{1}); u.PTwoSided(0) != 1 || !math.IsNaN(u.Estimate()) {
		t.Error("an empty sample says something")
	}
}

func TestBinomialAgainstPublishedVectors(t *testing.T) {
	type vector struct {
		Source    string
		K, N      int
		Low, High float64
		Digits    int
	}
	for _, v := range vectors[[]vector](t, "binomial.json") {
		low, high := stats.ClopperPearson(v.K, v.N, 0.95)
		printed(t, v.Source+", low", low, v.Low, v.Digits)
		printed(t, v.Source+", high", high, v.High, v.Digits)
	}
	// Without an event the bound has a closed form, near 3/n (Hanley &
	// Lippman-Hand, JAMA 249 (1983) 1743).
	for n := 1; n <= 100; n++ {
		near(t, "0 of n", math.Log(1-stats.AtMost(0, n, 0.95)), math.Log(0.05)/float64(n))
	}
	if stats.AtMost(3, 3, 0.95) != 1 {
		t.Error("three of three bound nothing")
	}
}
