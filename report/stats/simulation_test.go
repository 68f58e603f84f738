package stats_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/storm-harness/storm/report/stats"
)

// noisyBlocks makes the log ratios of paired blocks on a machine whose speed
// drifts (AR(1), standard deviation 0.15 on the log scale) and whose trials
// have noise of their own (0.10): two trials a block, in random order, the
// profile's slower by the log of effect.
func noisyBlocks(r *rand.Rand, blocks int, effect float64) []float64 {
	const carry, drift, noise = 0.9, 0.15, 0.10
	speed := drift * r.NormFloat64()
	trial := func() float64 {
		v := speed + noise*r.NormFloat64()
		speed = carry*speed + drift*math.Sqrt(1-carry*carry)*r.NormFloat64()
		return v
	}
	d := make([]float64, blocks)
	for i := range d {
		first, second := trial(), trial()
		if r.IntN(2) == 0 {
			first, second = second, first
		}
		d[i] = second - first + math.Log(effect)
	}
	return d
}

// The promise behind a gate: without a true effect, the interval leaves out
// "no difference" no more often than it says.
func TestFalseAlarmsUnderDrift(t *testing.T) {
	const runs = 4000
	for _, blocks := range []int{6, 8, 10} {
		r := rand.New(rand.NewPCG(20261101, uint64(blocks)))
		var walsh, flip int
		var claimed float64
		for range runs {
			d := noisyBlocks(r, blocks, 1)
			i, ok := stats.NewPaired(d).Interval(0.95)
			if !ok {
				t.Fatalf("%d blocks have no interval", blocks)
			}
			claimed = 1 - i.Confidence
			if i.Low > 0 || i.High < 0 {
				walsh++
			}
			if stats.SignFlip(d, 0, stats.TwoSided, 1).P <= 0.05 {
				flip++
			}
		}
		within := func(what string, count int, alpha float64) {
			rate := float64(count) / runs
			se := math.Sqrt(alpha * (1 - alpha) / runs)
			t.Logf("%d blocks, %s: %.2f %% false alarms, at most %.2f %% promised", blocks, what, 100*rate, 100*alpha)
			if rate > alpha+3*se {
				t.Errorf("%d blocks, %s: %.4f false alarms, promised %.4f ± %.4f", blocks, what, rate, alpha, se)
			}
		}
		within("interval", walsh, claimed)
		within("sign flip of the mean", flip, 0.05)
	}
}

// A difference of one half is found by eight blocks on such a machine.
func TestPowerAtOneAndAHalf(t *testing.T) {
	const runs = 1000
	r := rand.New(rand.NewPCG(20261101, 99))
	found := 0
	for range runs {
		if i, _ := stats.NewPaired(noisyBlocks(r, 8, 1.5)).Interval(0.95); i.Low > 0 {
			found++
		}
	}
	if found < runs*95/100 {
		t.Errorf("found in %d of %d runs", found, runs)
	}
}

func FuzzPaired(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 0, 255}, 0.1)
	f.Add([]byte{0, 255, 0, 255, 9, 9}, math.Inf(1))
	f.Fuzz(func(t *testing.T, raw []byte, theta float64) {
		if len(raw) > 40 || math.IsNaN(theta) {
			return
		}
		d := make([]float64, len(raw))
		for i, b := range raw {
			switch b {
			case 0:
				d[i] = math.Inf(-1)
			case 255:
				d[i] = math.Inf(1)
			default:
				d[i] = (float64(b) - 128) / 16
			}
		}
		p := stats.NewPaired(d)
		for _, v := range []float64{p.PGreater(theta), p.PLess(theta), p.PTwoSided(theta)} {
			if !(v > 0 && v <= 1) {
				t.Fatalf("p = %v", v)
			}
		}
		if i, ok := p.Interval(0.95); ok && !(i.Low <= p.Estimate() && p.Estimate() <= i.High && i.Confidence >= 0.95) {
			t.Fatalf("%+v around %v", i, p.Estimate())
		}
		if !math.IsInf(theta, 0) && len(d) <= 12 {
			if v := stats.SignFlip(d, theta, stats.TwoSided, 1).P; !(v > 0 && v <= 1) {
				t.Fatalf("sign flip p = %v", v)
			}
		}
	})
}
