package stats_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/storm-harness/storm/report/stats"
)

func vectors[T any](t *testing.T, name string) T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-12*max(1, math.Abs(want)) {
		t.Errorf("%s = %v, published is %v", what, got, want)
	}
}

func TestPairedAgainstPublishedVectors(t *testing.T) {
	type vector struct {
		Name                                         string
		Differences                                  []float64
		Estimate, Low, High, Confidence              *float64
		TwoSided, Greater, FlipTwoSided, FlipGreater *float64
	}
	for _, v := range vectors[[]vector](t, "paired.json") {
		t.Run(v.Name, func(t *testing.T) {
			p := stats.NewPaired(v.Differences)
			i, ok := p.Interval(0.95)
			if !ok {
				t.Fatal("no interval")
			}
			enumerated := math.Ldexp(1, len(v.Differences))
			flip := func(alt stats.Alternative) float64 {
				return stats.SignFlip(v.Differences, 0, alt, 1).P * enumerated
			}
			for what, c := range map[string]struct {
				want *float64
				got  float64
			}{
				"estimate":        {v.Estimate, p.Estimate()},
				"low":             {v.Low, i.Low},
				"high":            {v.High, i.High},
				"confidence":      {v.Confidence, i.Confidence},
				"two-sided p":     {v.TwoSided, p.PTwoSided(0)},
				"greater p":       {v.Greater, p.PGreater(0)},
				"flips two-sided": {v.FlipTwoSided, flip(stats.TwoSided)},
				"flips greater":   {v.FlipGreater, flip(stats.Greater)},
			} {
				if c.want != nil {
					near(t, what, c.got, *c.want)
				}
			}
		})
	}
}

// The interval's rank from either end is R's qsignrank(0.025, n): with the
// integers' logarithms as differences all Walsh averages are distinct, so the
// rank can be read off.
func TestIntervalRanksAgainstR(t *testing.T) {
	v := vectors[struct{ Quantiles [][2]int }](t, "signedrank.json")
	for _, q := range v.Quantiles {
		n, want := q[0], q[1]
		d := make([]float64, n)
		for i := range d {
			d[i] = math.Log(float64(i)*math.Sqrt2 + 1.1)
		}
		p := stats.NewPaired(d)
		i, ok := p.Interval(0.95)
		if !ok {
			t.Fatalf("n = %d: no interval", n)
		}
		below := 0
		for a := range d {
			for b := a; b < n; b++ {
				if d[a]/2+d[b]/2 < i.Low {
					below++
				}
			}
		}
		if below+1 != want {
			t.Errorf("n = %d: low end has rank %d, qsignrank(0.025, %d) is %d", n, below+1, n, want)
		}
	}
}

func TestQuantileRanksAgainstTables(t *testing.T) {
	type vector struct {
		Source     string
		N          uint64
		Q          float64
		Low, High  uint64
		Confidence float64
	}
	for _, v := range vectors[[]vector](t, "quantile.json") {
		r, ok := stats.QuantileRanks(v.N, v.Q, 0.95)
		if !ok || r.High != v.High || v.Low != 0 && r.Low != v.Low {
			t.Errorf("%s: got %+v, %v", v.Source, r, ok)
		}
		if v.Confidence != 0 {
			near(t, v.Source, r.Confidence, v.Confidence)
		}
	}
}

func TestHolmAgainstR(t *testing.T) {
	for _, v := range vectors[[]struct{ P, Adjusted []float64 }](t, "holm.json") {
		for i, got := range stats.Holm(v.P) {
			near(t, "adjusted", got, v.Adjusted[i])
		}
	}
}
