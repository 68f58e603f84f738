package report

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/stats"
)

// judgeRatios runs the comparison of profile b against a, with the given ratios
// in as many blocks; NaN makes b's trial of the block invalid, and −1 a's.
func judgeRatios(lower bool, margin float64, ratios ...float64) (Judged, *Comparison) {
	j := &judgement{run: rundir.Run{Blocks: len(ratios), Seed: 1}}
	var a, b []TrialValue
	for i, r := range ratios {
		base := 1 + 0.1*float64(i)
		va := TrialValue{Trial: fmt.Sprintf("%da", i), Block: i + 1, Profile: "a", Value: Number(base), Valid: true}
		vb := TrialValue{Trial: fmt.Sprintf("%db", i), Block: i + 1, Profile: "b", Value: Number(base * r), Valid: true}
		vb.Censored = math.IsInf(r, 1)
		if math.IsNaN(r) {
			vb.Valid, vb.Value = false, 1
		}
		if r == -1 {
			va.Valid, vb.Value = false, 1
		}
		a, b = append(a, va), append(b, vb)
	}
	g := rundir.Gate{Metric: "recovery.time", Compare: "a", Margin: margin}
	if !lower {
		g.Metric = "api.throughput"
	}
	c := j.compare(g, lower, "seconds", a, b, "b")
	c.Margin = margin
	gates := []Gate{{Results: []Judged{{Profile: "b", Values: b, Comparison: c}}}}
	family := correct(gates)
	decide(&gates[0].Results[0], c, family)
	return gates[0].Results[0], c
}

func TestOneIntervalDecides(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for name, c := range map[string]struct {
		lower  bool
		margin float64
		ratios []float64
		want   Verdict
		says   string
	}{
		"wholly beyond":           {true, 0.25, []float64{1.3, 1.31, 1.4, 1.5, 1.6, 1.35}, Regressed, "wholly beyond the margin of 25 %"},
		"wholly within, worse":    {true, 0.25, []float64{1.1, 1.11, 1.12, 1.13, 1.14, 1.15}, Pass, "12 % slower (96.9 % interval 10–15 %): within"},
		"wholly better":           {true, 0.25, []float64{0.5, 0.51, 0.52, 0.53, 0.54, 0.55}, Improved, "1.91× faster (96.9 % interval 1.82–2×)"},
		"slightly better":         {true, 0.25, []float64{0.9, 0.91, 0.92, 0.93, 0.94, 0.95}, Improved, "7.5 % faster (96.9 % interval 5–10 %)"},
		"far better to no worse":  {true, 0.25, []float64{0.3, 0.5, 0.7, 0.9, 1.05, 1.1}, Pass, "no difference found"},
		"over the margin":         {true, 0.25, []float64{0.9, 1.1, 1.2, 1.3, 1.4, 1.5}, Inconclusive, "more blocks"},
		"touching the margin":     {true, 0.25, []float64{1, 1, 1.25, 1, 1, 1}, Inconclusive, "more blocks"},
		"more is better, less":    {false, 0.1, []float64{0.5, 0.6, 0.7, 0.55, 0.65, 0.6}, Regressed, "lower"},
		"more is better, more":    {false, 0.1, []float64{1.5, 1.6, 1.7, 1.55, 1.65, 1.6}, Improved, "1.6× higher"},
		"no margin, equal":        {true, 0, []float64{1, 1.01, 0.99, 1, 1.02, 0.98}, Inconclusive, "margin of 0 %"},
		"five blocks":             {true, 0.25, []float64{2, 2, 2, 2, 2}, Inconclusive, "5 blocks can give no 95 % interval; it needs 6"},
		"never recovered":         {true, 0.25, []float64{inf, inf, inf, inf, inf, inf}, Regressed, "b did not recover in 6 of 6 blocks"},
		"one unrecovered of ten":  {true, 0.25, []float64{1, 1.01, 1.02, 0.99, 0.98, 1, 1.01, 0.99, 1, inf}, Inconclusive, "b did not recover in 1 of 10 blocks"},
		"one of twelve":           {true, 0.25, []float64{1, 1.01, 1.02, 0.99, 0.98, 1, 1.01, 0.99, 1, 1, 1, inf}, Pass, "b did not recover in 1 of 12 blocks"},
		"too many invalid of one": {true, 0.25, []float64{1, 1, 1, 1, 1, 1, 1, nan, nan, nan}, Invalid, "0 trials of a and 3 of b cannot be used"},
		"as many of both":         {true, 0.25, []float64{1, 1, 1, 1, 1, 1, 1, 1, nan, -1}, Pass, "no difference found"},
		"dropped below six":       {true, 0.25, []float64{1, 1, 1, 1, 1, nan, -1}, Invalid, "only 5 of 7 blocks could be used"},
		"none left":               {true, 0.25, []float64{nan, nan, nan, nan, nan, nan}, Invalid, "not one of 6 blocks"},
	} {
		t.Run(name, func(t *testing.T) {
			got, cmp := judgeRatios(c.lower, c.margin, c.ratios...)
			if got.Verdict != c.want || !strings.Contains(got.Reason, c.says) {
				t.Errorf("%s: %s; want %s: … %s …", got.Verdict, got.Reason, c.want, c.says)
			}
			// Interval and p are one test: they never contradict each other.
			if cmp.Confidence > 0 {
				if out := cmp.Low > 1 || cmp.High < 1; out != (cmp.P.Float() <= 1-cmp.Confidence+1e-12) {
					t.Errorf("interval %v–%v, confidence %v, p %v", cmp.Low, cmp.High, cmp.Confidence, cmp.P)
				}
			}
		})
	}
}

func TestBothCensoredSaysNothing(t *testing.T) {
	j := &judgement{run: rundir.Run{Blocks: 6}}
	var a, b []TrialValue
	for i := range 6 {
		v := TrialValue{Block: i + 1, Value: Number(math.Inf(1)), Censored: true, Valid: true}
		a, b = append(a, v), append(b, v)
	}
	c := j.compare(rundir.Gate{Metric: "recovery.time", Compare: "a", Margin: 0.25}, true, "seconds", a, b, "b")
	if v, reason := c.verdict(1); v != Inconclusive || !strings.Contains(reason, "neither profile recovered") {
		t.Errorf("%s: %s", v, reason)
	}
}

// With ten comparisons in a run, six blocks are too few for a claim of a
// regression in one of them: 10/64 is more than 5 %.
func TestHolmTakesBackAClaim(t *testing.T) {
	var gates []Gate
	for i := range 10 {
		_, c := judgeRatios(true, 0.25, 1, 1.01, 0.99, 1.02, 0.98, 1)
		if i == 0 {
			_, c = judgeRatios(true, 0.25, 2, 2.1, 1.9, 2.2, 2.05, 2)
		}
		gates = append(gates, Gate{Results: []Judged{{Profile: "b", Comparison: c}}})
	}
	family := correct(gates)
	decide(&gates[0].Results[0], gates[0].Results[0].Comparison, family)
	if r := gates[0].Results[0]; family != 10 || r.Verdict != Inconclusive || !strings.Contains(r.Reason, "all 10 comparisons") {
		t.Errorf("family %d: %s: %s", family, r.Verdict, r.Reason)
	}
	if got := gates[0].Results[0].Comparison.PHolm.Float(); got != 10.0/64 {
		t.Errorf("Holm's p %v, want 10/64", got)
	}
}

// The rule of imbalance, at its border: two of eight trials of one profile more
// than of the other may be unusable, three may not, whoever's they are.
func TestImbalance(t *testing.T) {
	for _, c := range []struct {
		base, profile, blocks int
		want                  bool
	}{
		{0, 1, 6, false}, {0, 2, 6, true}, {0, 2, 8, false}, {2, 0, 8, false}, {0, 3, 8, true}, {3, 0, 8, true},
		{3, 3, 8, false}, {4, 1, 8, true}, {0, 3, 12, false}, {0, 4, 12, true}, {0, 0, 0, false},
	} {
		if got := imbalanced(c.base, c.profile, c.blocks); got != c.want {
			t.Errorf("%d and %d of %d blocks: %v", c.base, c.profile, c.blocks, got)
		}
	}
	nan := math.NaN()
	got, _ := judgeRatios(true, 0.25, 1, 1, 1, 1, 1, 1, nan, nan)
	if got.Verdict != Pass {
		t.Errorf("two of eight: %s: %s", got.Verdict, got.Reason)
	}
	if got, _ = judgeRatios(true, 0.25, 1, 1, 1, 1, 1, 1, 1, 1, nan, nan, nan); got.Verdict != Invalid || !strings.Contains(got.Reason, "0 trials of a and 3 of b") {
		t.Errorf("three of eleven: %s: %s", got.Verdict, got.Reason)
	}
}

// A valid trial in which nothing was measured is no lost block: nobody knows
// what it would have shown. It does not matter whose it is.
func TestAnEmptyTrialOfEitherSideIsInvalid(t *testing.T) {
	for _, side := range []int{0, 1} {
		j := &judgement{run: rundir.Run{Blocks: 8}}
		var sides [2][]TrialValue
		for i := range 8 {
			for k := range sides {
				v := TrialValue{Trial: fmt.Sprintf("%d-%d", i, k), Block: i + 1, Value: Number(1 + 0.01*float64(i+k)), Valid: true}
				if i == 3 && k == side {
					v.Value, v.Note = Missing(), "no requests"
				}
				sides[k] = append(sides[k], v)
			}
		}
		c := j.compare(rundir.Gate{Metric: "recovery.time", Compare: "a", Margin: 0.25}, true, "seconds", sides[0], sides[1], "b")
		if v, reason := c.verdict(1); v != Invalid || reason != fmt.Sprintf("nothing was measured in 3-%d (no requests)", side) {
			t.Errorf("side %d: %s: %s", side, v, reason)
		}
	}
}

// Another alpha asks for another interval, and for more blocks.
func TestAlphaIsTheScenarios(t *testing.T) {
	for _, c := range []struct {
		alpha float64
		need  int
	}{{0, 6}, {0.05, 6}, {0.01, 8}, {0.2, 4}, {7, 6}, {-1, 6}} {
		j := &judgement{run: rundir.Run{Blocks: 8, Alpha: c.alpha}}
		for n := 3; n <= 8; n++ {
			var a, b []TrialValue
			for i := range n {
				v := TrialValue{Block: i + 1, Value: Number(1 + 0.1*float64(i)), Valid: true}
				a = append(a, v)
				v.Value *= 1.01
				b = append(b, v)
			}
			got := j.compare(rundir.Gate{Metric: "recovery.time", Compare: "a"}, true, "seconds", a, b, "b")
			if has := got.Confidence > 0; has != (n >= c.need) || has && got.Confidence < 1-alphaOf(j.run) {
				t.Errorf("alpha %v, %d blocks: confidence %v", c.alpha, n, got.Confidence)
			}
		}
	}
}

// Above sixteen blocks the sign flips are sampled, from the run's seed, and the
// error of that is said.
func TestSampledFlipsSayTheirError(t *testing.T) {
	var ratios []float64
	for i := range 20 {
		ratios = append(ratios, 1+0.05*math.Sin(float64(3*i+1)))
	}
	_, c := judgeRatios(true, 0.25, ratios...)
	_, again := judgeRatios(true, 0.25, ratios...)
	if c.FlipSampled != stats.Flips || c.FlipError <= 0 || c.FlipError > 0.002 || c.PFlip != again.PFlip {
		t.Errorf("%d flips, p %v and %v, error %v", c.FlipSampled, c.PFlip, again.PFlip, c.FlipError)
	}
	if len(c.Note) != 1 || !strings.Contains(c.Note[0], "± ") {
		t.Errorf("notes %q", c.Note)
	}
	if _, c = judgeRatios(true, 0.25, ratios[:16]...); c.FlipSampled != 0 || c.FlipError != 0 || len(c.Note) != 0 {
		t.Errorf("sixteen blocks are enumerated: %d flips, error %v", c.FlipSampled, c.FlipError)
	}
}

func TestVerdictOrder(t *testing.T) {
	for _, c := range []struct {
		in   []Verdict
		want Verdict
		code int
	}{
		{nil, None, 0},
		{[]Verdict{Pass, Improved}, Improved, 0},
		{[]Verdict{Pass}, Pass, 0},
		{[]Verdict{Improved, Inconclusive, Pass}, Inconclusive, 4},
		{[]Verdict{Inconclusive, Invalid}, Invalid, 5},
		{[]Verdict{Invalid, Regressed, Pass}, Regressed, 3},
		{[]Verdict{Pass, "nonsense"}, Invalid, 5},
	} {
		if got := Worst(c.in...); got != c.want || got.ExitCode() != c.code {
			t.Errorf("Worst(%v) = %s with code %d, want %s with %d", c.in, got, got.ExitCode(), c.want, c.code)
		}
	}
}

func TestMethodNamesTheLeastBlocks(t *testing.T) {
	if got := stats.NeedPaired(Confidence); got != 6 {
		t.Errorf("a %v interval needs %d blocks, the texts say 6", Confidence, got)
	}
}

// A comparison that is withheld claims nothing, and is counted by Holm's correction
// all the same: it may not lend its small p to the others.
func TestWithheldComparisonsAreCountedByHolm(t *testing.T) {
	nan := math.NaN()
	_, clear := judgeRatios(true, 0.25, 2, 2.1, 1.9, 2.2, 2.05, 2)
	want := clear.PMargin.Float()
	_, held := judgeRatios(true, 0.25, 3, 3, 3, 3, 3, 3, 3, nan, nan, nan)
	if held.PMargin.Is() || held.PHolm.Is() {
		t.Errorf("withheld, it still has p %v and %v", held.PMargin, held.PHolm)
	}
	held.PMargin = 0.001 // as before its verdict
	correct([]Gate{{Results: []Judged{{Comparison: clear}, {Comparison: held}}}})
	if got := clear.PHolm.Float(); got != 2*want {
		t.Errorf("beside one that is withheld p %v becomes %v, want twice that", want, got)
	}
}
