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
	if v, reason := c.verdict(b, 1); v != Inconclusive || !strings.Contains(reason, "neither profile recovered") {
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
