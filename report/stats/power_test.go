package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/storm-harness/storm/report/stats"
)

// At the shift that Detectable names, samples of its own draw are told from no
// difference as often as asked. Nothing is published to hold it against.
func TestDetectableIsDetected(t *testing.T) {
	const runs = 4000
	for _, n := range []int{6, 8, 12, 20} {
		for _, power := range []float64{0.8, 0.95} {
			shift := stats.Detectable(n, 0.025, power)
			r := rand.New(rand.NewPCG(7, uint64(n)))
			found := 0
			for range runs {
				d := make([]float64, n)
				for i := range d {
					d[i] = shift + r.NormFloat64()
				}
				if i, _ := stats.NewPaired(d).Interval(0.95); i.Low > 0 {
					found++
				}
			}
			rate, se := float64(found)/runs, math.Sqrt(power*(1-power)/runs)
			if math.Abs(rate-power) > 4*se {
				t.Errorf("n = %d: a shift of %.3f SD is found in %.3f, asked %.2f", n, shift, rate, power)
			}
		}
	}
	if !math.IsInf(stats.Detectable(5, 0.025, 0.8), 1) {
		t.Error("five differences give no 95 % interval, and yet find something")
	}
}

func TestNeedDetectable(t *testing.T) {
	for _, shift := range []float64{0.6, 1, 1.5, 3} {
		n, ok := stats.NeedDetectable(shift, 0.025, 0.95, 64)
		if !ok || stats.Detectable(n, 0.025, 0.95) > shift || n > 6 && stats.Detectable(n-1, 0.025, 0.95) <= shift {
			t.Errorf("shift %v: n = %d, %v", shift, n, ok)
		}
	}
	if n, ok := stats.NeedDetectable(0.1, 0.025, 0.95, 32); ok {
		t.Errorf("%d differences find a tenth of their SD", n)
	}
}

// Of n normal values (n−1)·s²/σ² is chi-square; its published quantiles for 9
// degrees of freedom are 2.700 and 19.023.
func TestSDAgainstTables(t *testing.T) {
	sd, low, high := stats.SD([]float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 0.95)
	printed(t, "SD", sd, 3.0277, 4)
	printed(t, "low", sd*math.Sqrt(9)/low, math.Sqrt(19.023), 4)
	printed(t, "high", sd*math.Sqrt(9)/high, math.Sqrt(2.700), 3)
	for _, d := range [][]float64{nil, {1}, {1, math.Inf(1)}} {
		if sd, _, _ := stats.SD(d, 0.95); !math.IsNaN(sd) {
			t.Errorf("the SD of %v is %v", d, sd)
		}
	}
}

// Values that come in equal groups are worth one a group; independent values
// are worth themselves, but for the doubt that few trials leave.
func TestDesignEffectFindsWhatValuesAreWorth(t *testing.T) {
	const trials, values, beyond = 12, 20_000, 0.01
	for _, alike := range []int{1, 10, 50} {
		r := rand.New(rand.NewPCG(8, uint64(alike)))
		var sum float64
		const runs = 200
		for range runs {
			clusters := make([]stats.Cluster, trials)
			for i := range clusters {
				clusters[i].Values = values
				for range values / alike {
					if r.Float64() < beyond {
						clusters[i].Above += uint64(alike)
					}
				}
			}
			sum += stats.DesignEffect(clusters)
		}
		// The bound of 80 % of eleven degrees of freedom is 11/6.99 times the
		// estimate, on average.
		if mean := sum / runs; mean < float64(alike) || mean > 1.9*float64(alike) {
			t.Errorf("in groups of %d: a design effect of %.1f on average", alike, mean)
		}
	}
	if !math.IsNaN(stats.DesignEffect([]stats.Cluster{{100, 1}, {100, 1}})) || !math.IsNaN(stats.DesignEffect([]stats.Cluster{{100, 0}, {100, 0}, {9, 0}})) {
		t.Error("two trials, or none above, say what values are worth")
	}
}
