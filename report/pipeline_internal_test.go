package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
)

// noisyMachine makes the trials of a run on a machine whose speed drifts from
// trial to trial (AR(1), standard deviation 0.15 on the log scale) and whose
// every value has noise of its own (0.10): two profiles a block, in random
// order, the second slower by effect. Each trial has as many recovery times as
// there are gates. What a run directory would hold of them goes into the trials,
// and from there on everything is what a report does.
type noisyMachine struct {
	r      *rand.Rand
	blocks int
	gates  int
	margin float64
	effect float64
}

const carry, driftSD, noiseSD = 0.9, 0.15, 0.10

func (m noisyMachine) run() *judgement {
	run := rundir.Run{Blocks: m.blocks, Seed: 1, Profiles: []rundir.Profile{{Name: "a"}, {Name: "b"}}}
	for g := range m.gates {
		run.Gates = append(run.Gates, rundir.Gate{
			Metric: "recovery.time", Where: map[string]string{"act": fmt.Sprint(g)}, Compare: "a", Margin: m.margin,
		})
	}
	j := &judgement{run: run}
	speed := driftSD * m.r.NormFloat64()
	for block := 1; block <= m.blocks; block++ {
		for _, i := range m.r.Perm(2) {
			profile := run.Profiles[i].Name
			t := &trial{Planned: rundir.Planned{ID: fmt.Sprintf("%d%s", block, profile), Block: block, Profile: profile}, state: TrialValid}
			for g := range m.gates {
				log := speed + noiseSD*m.r.NormFloat64() + float64(i)*math.Log(m.effect)
				t.done.Acts = append(t.done.Acts, rundir.Act{Name: fmt.Sprint(g), Recovery: []rundir.Recovery{
					{Layer: "api", Op: "write", Worst: true, Probes: 100, RTO: int64(2e9 * math.Exp(log))},
				}})
			}
			j.trials = append(j.trials, t)
			speed = carry*speed + driftSD*math.Sqrt(1-carry*carry)*m.r.NormFloat64()
		}
	}
	return j
}

// rate is the share of runs in which any gate has the verdict.
func (m noisyMachine) rate(t *testing.T, runs int, seed uint64, want Verdict) float64 {
	t.Helper()
	m.r = rand.New(rand.NewPCG(seed, uint64(m.blocks*100+m.gates)))
	count := 0
	for range runs {
		found := false
		for _, g := range m.run().gates() {
			if g.Verdict == Invalid {
				t.Fatalf("a gate is invalid: %s", g.Reason)
			}
			found = found || g.Verdict == want
		}
		if found {
			count++
		}
	}
	return float64(count) / float64(runs)
}

// The promises of a report, from the trials' values to the verdict: claims that
// are false are no more frequent than alpha, where they are the likeliest.
func TestFalseClaimsOfTheWholePipeline(t *testing.T) {
	const runs = 2000
	for _, c := range []struct {
		what           string
		gates          int
		margin, effect float64
		claim          Verdict
		alpha          float64
	}{
		{"a regression where there is no difference", 1, 0, 1, Regressed, 0.05},
		{"a regression where there is no difference, of four gates any", 4, 0, 1, Regressed, 0.05},
		{"a regression at the margin itself", 1, 0.25, 1.25, Regressed, 0.05},
		{"a regression at the margin itself, of four gates any", 4, 0.25, 1.25, Regressed, 0.05},
		{"an improvement where there is no difference", 1, 0.25, 1, Improved, 0.05},
		{"a pass at the margin itself", 1, 0.25, 1.25, Pass, 0.05},
		{"a regression within the margin", 1, 0.25, 1, Regressed, 0.05},
	} {
		for _, blocks := range []int{6, 8, 10} {
			if c.gates > 1 && blocks != 8 {
				continue // it takes its time
			}
			m := noisyMachine{blocks: blocks, gates: c.gates, margin: c.margin, effect: c.effect}
			rate := m.rate(t, runs, 20261125, c.claim)
			se := math.Sqrt(c.alpha * (1 - c.alpha) / runs)
			t.Logf("%s, %d blocks: %.2f %%", c.what, blocks, 100*rate)
			if rate > c.alpha+se {
				t.Errorf("%s, %d blocks: claimed in %.4f of runs, promised at most %.4f ± %.4f", c.what, blocks, rate, c.alpha, se)
			}
		}
	}
}

// What the same machine lets eight blocks find of a profile that is slower by
// half.
func TestPowerOfTheWholePipeline(t *testing.T) {
	const runs = 1000
	for _, c := range []struct {
		margin, least float64
	}{{0, 0.95}, {0.10, 0.95}, {0.25, 0.65}} {
		m := noisyMachine{blocks: 8, gates: 1, margin: c.margin, effect: 1.5}
		rate := m.rate(t, runs, 20261126, Regressed)
		t.Logf("1.5 times slower, 8 blocks, margin %.0f %%: regressed in %.1f %% of runs", 100*c.margin, 100*rate)
		if rate < c.least {
			t.Errorf("margin %v: found in %.3f of runs, wanted %.2f", c.margin, rate, c.least)
		}
	}
}
