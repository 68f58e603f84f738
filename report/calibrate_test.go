package report_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// twins is an A/A run of eight blocks: the recovery times of the two differ by
// the given logarithms.
func twins(logs ...float64) *world {
	w := newWorld()
	w.run.Profiles = []rundir.Profile{{Name: "a"}, {Name: "b"}}
	w.run.Gates[2].Compare = "a"
	w.run.Blocks, w.run.Plan = len(logs), nil
	for b := range logs {
		for _, p := range []string{"a", "b"} {
			w.run.Plan = append(w.run.Plan, rundir.Planned{ID: strings.Repeat("x", b+1) + p, Block: b + 1, Profile: p})
		}
	}
	w.recovery = func(p rundir.Planned) float64 {
		v := 2 + 0.1*float64(p.Block)
		if p.Profile == "b" {
			v *= math.Exp(logs[p.Block-1])
		}
		return v
	}
	return w
}

func calibration(t *testing.T, w *world) *report.Calibration {
	t.Helper()
	c, err := report.Calibrate(w.write(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := json.Marshal(c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCalibrate(t *testing.T) {
	logs := []float64{0.1, -0.1, 0.2, -0.2, 0.1, -0.1, 0.05, -0.05}
	c := calibration(t, twins(logs...))
	if !c.Twins || c.Family != 1 || len(c.Warnings) != 0 || len(c.Metrics) != 2 {
		t.Fatalf("%+v", c)
	}
	n := c.Metrics[1]
	var squares float64
	for _, l := range logs { // their mean is 0
		squares += l * l
	}
	if want := math.Sqrt(squares / 7); math.Abs(n.SD.Float()-want) > 1e-6 || n.SDHigh <= n.SD || n.Metric != "recovery.time" || n.Margin != 0.25 || n.Pairs != 8 || n.FalseAlarm {
		t.Errorf("SD %v of %v: %+v", n.SD, want, n)
	}
	for i, d := range n.Detect {
		if !(1 < d.Ratio80 && d.Ratio80 < d.Ratio95) || math.Abs(d.Margin.Float()-d.Ratio95.Float()+1) > 1e-12 {
			t.Errorf("%+v", d) // of one comparison the margin is what tells a change from none
		}
		if i > 0 && d.Ratio95 >= n.Detect[i-1].Ratio95 {
			t.Errorf("%d blocks find no more than %d", d.Blocks, n.Detect[i-1].Blocks)
		}
	}
	// The number of blocks for the margin agrees with the table of margins.
	for _, d := range n.Detect {
		if enough := d.Blocks >= n.Blocks; enough != (d.Margin.Float() <= n.Margin) {
			t.Errorf("%d blocks pass at %v; for %v it takes %d", d.Blocks, d.Margin, n.Margin, n.Blocks)
		}
	}
	if !strings.HasPrefix(n.Text, "a margin of 25 % takes ") || !strings.Contains(n.Text, "with 8 blocks take a margin of ") {
		t.Errorf("advice: %s", n.Text)
	}
}

func TestCalibrateSaysWhatItCannotSay(t *testing.T) {
	same := calibration(t, twins(0, 0, 0, 0, 0, 0)).Metrics[1]
	if same.SD != 0 || !strings.Contains(same.Text, "no pair differed") {
		t.Errorf("%+v", same)
	}
	never := calibration(t, twins(0.1, math.Inf(1), 0.2, 0.1, 0, -0.1)).Metrics[1]
	if never.SD.Is() || !strings.Contains(never.Text, "infinite ratio") {
		t.Errorf("%+v", never)
	}
	w := twins(0.1, 0.2, 0.1, 0.2, 0, 0.1)
	w.change = func(tr *rundir.Trial) { tr.Health.Problems = []string{"it was late"} }
	late := calibration(t, w)
	if n := late.Metrics[1]; n.SD.Is() || n.Pairs != 0 || !strings.Contains(n.Text, "it was late") || len(late.Warnings) != 2 || !strings.Contains(late.Warnings[1], "(valid: a 0 of 6, b 0 of 6)") {
		t.Errorf("%+v, %q", n, late.Warnings)
	}
	shifted := calibration(t, newWorld())
	if shifted.Twins || len(shifted.Warnings) != 1 || !strings.Contains(shifted.Warnings[0], "stock and fast are different profiles") {
		t.Errorf("%q", shifted.Warnings)
	}
	alone := newWorld()
	alone.run.Profiles = alone.run.Profiles[:1]
	if _, err := report.Calibrate(alone.write(t)); err == nil || !strings.Contains(err.Error(), "run `storm calibrate leader-loss`") {
		t.Errorf("one profile: %v", err)
	}
	ungated := twins(0.1, 0.2)
	ungated.run.Gates = ungated.run.Gates[3:]
	if _, err := report.Calibrate(ungated.write(t)); err == nil || !strings.Contains(err.Error(), "no gate") {
		t.Errorf("no gates: %v", err)
	}
}

// A false alarm of an A/A run is called that.
func TestCalibrateCountsFalseAlarms(t *testing.T) {
	n := calibration(t, twins(0.1, 0.2, 0.1, 0.2, 0.15, 0.1)).Metrics[1]
	if !n.FalseAlarm || n.Low <= 1 {
		t.Errorf("%+v", n)
	}
}

// What a gate would refuse to compare is no measure of the noise: its numbers are
// left out, and the reason and the counts are said.
func TestCalibrateOfUnusableTrials(t *testing.T) {
	logs := []float64{0.1, -0.1, 0.2, -0.2, 0.1, -0.1, 0.05, -0.05}
	late := func(profile string, blocks int) func(w *world) {
		return func(w *world) {
			n := map[string]int{}
			w.change = func(tr *rundir.Trial) {
				p := w.run.Plan[n[""]].Profile
				n[""]++
				if n[p]++; p == profile && n[p] <= blocks {
					tr.Health.Problems = []string{"it was late"}
				}
			}
		}
	}
	for _, c := range []struct {
		name    string
		change  func(w *world)
		says    string // of the measure; empty where it is reckoned
		warning string
	}{
		{"two of eight", late("b", 2), "", "valid: a 8 of 8, b 6 of 8"},
		{"three of eight", late("b", 3), "0 trials of a and 3 of b cannot be used (xb: load generator: it was late): what is left is no fair comparison", "valid: a 8 of 8, b 5 of 8"},
		{"of the other", late("a", 3), "3 trials of a and 0 of b cannot be used", "valid: a 5 of 8, b 8 of 8"},
		{"nothing was measured", func(w *world) {
			n := 0
			w.change = func(tr *rundir.Trial) {
				if n++; n == 4 {
					tr.Acts[0].Recovery = nil
				}
			}
		}, "nothing was measured in xxb", ""},
	} {
		w := twins(logs...)
		c.change(w)
		got := calibration(t, w)
		if said := strings.Join(got.Warnings, "; "); !strings.Contains(said, c.warning) || (said == "") != (c.warning == "") {
			t.Errorf("%s: warns %q", c.name, said)
		}
		n := got.Metrics[1]
		if c.says == "" {
			if !n.SD.Is() || len(n.Detect) == 0 {
				t.Errorf("%s: %+v", c.name, n)
			}
			continue
		}
		if !strings.Contains(n.Text, c.says) || n.SD.Is() || n.SDHigh.Is() || n.Ratio.Is() || n.Low.Is() || n.High.Is() || n.Confidence != 0 || n.FalseAlarm || len(n.Detect) != 0 || n.Blocks != 0 {
			t.Errorf("%s: %+v", c.name, n)
		}
	}
}

// Two that never recovered are told apart by nothing: that is not the same as no noise.
func TestCalibrateOfWhatNeverRecovered(t *testing.T) {
	w := twins(0.1, -0.1, 0.2, -0.2, 0.1, -0.1)
	usual := w.recovery
	w.recovery = func(p rundir.Planned) float64 {
		if p.Block <= 2 {
			return math.Inf(1)
		}
		return usual(p)
	}
	if n := calibration(t, w).Metrics[1]; n.SD.Is() || len(n.Detect) != 0 || n.Text != "in 2 of 6 blocks neither profile recovered while it was watched, so its noise cannot be said" {
		t.Errorf("%+v", n)
	}
}
