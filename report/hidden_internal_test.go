package report

import (
	"math"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
)

// A mean and a maximum are not the better for requests that timed out.
func TestNoMeanOfWhatDidNotEnd(t *testing.T) {
	var h latency.Hist
	h.Add([]latency.Bin{{US: 2_000, N: 700}})
	if got := latencyValue(&h, 0, "mean", "request", lateWord); got.v != 0.002 {
		t.Errorf("a mean: %+v", got)
	}
	h.AddUnended(300)
	got := latencyValue(&h, 300, "mean", "request", lateWord)
	if !math.IsNaN(got.v) || !strings.Contains(got.note, "300 of 1,000 requests did not end in time and a mean with them is not known") {
		t.Errorf("the mean is %v (%s)", got.v, got.note)
	}
	if got := latencyValue(&h, 300, "max", "request", lateWord); !math.IsInf(got.v, 1) || !got.censored {
		t.Errorf("the largest is %v (%s)", got.v, got.note)
	}
}

// failingTrials are six trials of a profile with a p99 of so many ms and that share
// of requests that failed at once.
func failingTrials(profile string, ms int64, failed uint64) []*trial {
	var out []*trial
	for b := 1; b <= 6; b++ {
		one := aTrial()
		one.ID, one.Profile, one.Block, one.done.Outcome = profile+string(rune('0'+b)), profile, b, "done"
		one.cells = map[cellKey]*cell{}
		c := &cell{ok: 1000 - failed, failed: failed, codes: map[string]uint64{"429": failed}}
		c.hist.Add([]latency.Bin{{US: 1000*ms + int64(b), N: c.ok}})
		one.cells[cellKey{rundir.Key{Workload: "churn", Verb: "create", Resource: "events"}, "steady"}] = c
		out = append(out, one)
	}
	return out
}

// Where more of one side's requests failed, neither a row for information nor one of
// two runs says that the others were the faster.
func TestFailuresHideLatenciesWithoutAVerdict(t *testing.T) {
	base, head := failingTrials("base", 20, 0), failingTrials("head", 10, 50)
	j := &judgement{run: rundir.Run{Blocks: 6, Profiles: []rundir.Profile{{Name: "base"}, {Name: "head"}}}, trials: append(base, head...)}
	looked := 0
	for _, c := range j.information() {
		if c.Metric != "api.latency" {
			continue
		}
		looked++
		if hidden := c.Stat == "p99"; hidden != strings.HasPrefix(c.Text, "no comparison: 5 % of the requests with head and 0 % of those with base failed") || hidden == c.Ratio.Is() {
			t.Errorf("%s: %s (%v)", c.Stat, c.Text, c.Ratio)
		}
	}
	if looked != 2 {
		t.Errorf("%d rows of latencies", looked)
	}
	old, now := &judgement{trials: base}, &judgement{trials: failingTrials("base", 10, 50)}
	for stat, want := range map[string]string{"p50": "2× lower", "p99": "not compared: 0 % of the requests of the old run and 5 % of those of the new one failed"} {
		g := gateOn("api.latency", "phase", "steady")
		g.Stat = stat
		if got := shifted(g, old, now, "base", "base", 0.95); !strings.HasPrefix(got.Text, want) {
			t.Errorf("%s of two runs: %s", stat, got.Text)
		}
	}
}

// Nor is it noise that the requests of one twin were the quick ones.
func TestFailuresHideNoise(t *testing.T) {
	gate := gateOn("api.latency", "phase", "steady")
	for failed, want := range map[uint64]bool{0: true, 50: false} {
		j := &judgement{
			run:    rundir.Run{Blocks: 6, Profiles: []rundir.Profile{{Name: "a"}, {Name: "b"}}},
			trials: append(failingTrials("a", 20, 0), failingTrials("b", 10, failed)...),
		}
		gate.Stat = "p99"
		n := j.noise(gate, &Calibration{Base: "a", Profile: "b", Blocks: 6, Alpha: 0.05, Family: 1})
		if said := n.SD.Is(); said != want {
			t.Errorf("with %d of 1,000 requests failed, the noise is %v: %s", failed, n.SD, n.Text)
		}
		if !want && !strings.Contains(n.Text, "5 % of the requests with b and 0 % of those with a failed") {
			t.Errorf("it says %q", n.Text)
		}
	}
}
