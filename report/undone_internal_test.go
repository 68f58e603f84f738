package report

import (
	"math"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
)

// An operation that failed took longer than every other: a bound on its duration is
// broken, and a comparison has it as a pair, though its trial is not valid.
func TestAnOperationThatFailedIsTheLongest(t *testing.T) {
	top := 60.0
	failed := rundir.Act{Name: "restore", Kind: "restore", Sort: "operation", Intended: 14 * s, Injected: 26 * s, Healing: 27 * s, Error: "could not be done: starting the members: timeout"}
	for name, c := range map[string]struct {
		act    string
		change func(*trial)
		want   Verdict
		says   string
	}{
		"done":   {"restore", func(*trial) {}, Pass, ""},
		"failed": {"restore", func(t *trial) { t.done.Acts[1] = failed }, Regressed, "failed after 13 s in b (restore could not be done: starting the members: timeout), where at most 60 s is allowed; 1 trial of 3 broke the bound"},
		"any":    {"", func(t *trial) { t.done.Acts[1] = failed }, Regressed, "failed after 13 s in b"},
		"another": {"other", func(t *trial) {
			t.done.Acts = append(t.done.Acts, failed)
			t.done.Acts[1].Name = "other"
		}, Invalid, "no pass is given on what is left"},
		"failed, and storm was late": {"restore", func(t *trial) {
			t.done.Acts[1], t.done.Health.Problems = failed, []string{"late"}
		}, Pass, "1 trial of 3 not valid"},
		"after a fault without an effect": {"restore", func(t *trial) { t.done.Acts[0].Proven, t.done.Acts[1] = 0, failed }, Pass, "1 trial of 3 not valid"},
		"not begun": {"restore", func(t *trial) {
			t.done.Acts[1] = rundir.Act{Name: "restore", Kind: "restore", Sort: "operation", Intended: 14 * s, Error: rundir.NotWhole + ": timeout"}
		}, Invalid, "restore not started, because the cluster was not whole before"},
	} {
		g := gateOn("operation.duration", "act", c.act)
		g.Max = &top
		m, _ := metricOf(g.Metric)
		j := &judgement{run: rundir.Run{Blocks: 3}}
		for i := range 3 {
			one := aTrial()
			one.ID, one.Profile, one.Block = string(rune('a'+i)), "stock", i+1
			one.done.Outcome = "done"
			one.done.Acts[1] = rundir.Act{Name: "restore", Kind: "restore", Sort: "operation", Intended: 14 * s, Injected: 15 * s, Proven: 16 * s}
			if c.act == "other" {
				one.done.Acts[1].Name = "other"
			}
			if i == 1 {
				c.change(one)
				one.judge()
			}
			j.trials = append(j.trials, one)
		}
		got := j.absolute(g, m, "stock")
		if got.Verdict != c.want || !strings.Contains(got.Reason, c.says) {
			t.Errorf("%s: %s: %s", name, got.Verdict, got.Reason)
		}
		if v := got.Values[1]; c.want == Regressed && (!v.Valid || !v.Censored || FormatOf(g.Metric, v.Value, "seconds") != "failed") {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

// A recovery that did not come is one of what was not seen to recover, and of the
// system as a whole.
func TestWhatAnUnhealedFaultTellsOf(t *testing.T) {
	one := aTrial()
	one.done.Outcome, one.state = "done", TrialInvalid
	one.done.Acts[0].Unhealed, one.done.Acts[0].Error = true, "could not be healed: etcd-main-1 follows nobody"
	for name, c := range map[string]struct {
		gate rundir.Gate
		want bool
	}{
		"the system":            {gateOn("recovery.time"), true},
		"after the act":         {gateOn("recovery.time", "act", "kill"), true},
		"API reads":             {gateOn("recovery.time", "layer", "api", "op", "read"), false},
		"their gap":             {gateOn("recovery.gap", "layer", "api", "op", "read"), false},
		"etcd, which is not":    {gateOn("recovery.time", "layer", "etcd"), true},
		"its shard":             {gateOn("recovery.time", "shard", "main"), true},
		"what nobody looked at": {gateOn("recovery.time", "layer", "api", "op", "read", "shard", "pods"), true},
		"another act":           {gateOn("recovery.time", "act", "other"), false},
	} {
		v, got := one.unhealed(c.gate)
		if got != c.want || got && !math.IsInf(v.v, 1) {
			t.Errorf("%s: %v, %+v", name, got, v)
		}
	}
	if own := one.own(); !strings.Contains(own, "etcd-main-1 follows nobody") {
		t.Errorf("the trial is unusable for %q", own)
	}
}

// The recovery table counts what a gate on the same row counts.
func TestTheRecoveryTableCountsWhatDidNotCome(t *testing.T) {
	trials := []*trial{aTrial(), aTrial(), aTrial()}
	for i, one := range trials {
		one.ID, one.done.Outcome = string(rune('a'+i)), "done"
		one.done.Acts = one.done.Acts[:1]
	}
	for _, one := range trials[1:] {
		one.state = TrialInvalid
		one.done.Acts[0].Unhealed, one.done.Acts[0].Error = true, "could not be healed: no quorum"
	}
	trials[2].done.Acts[0].Recovery = nil
	for _, g := range recoveries(trials) {
		want := [2]int{2, 1} // those of which it was seen to recover, or nobody looked
		if g.Layer == "etcd" {
			want = [2]int{3, 3}
		}
		if got := [2]int{g.Trials, g.Censored}; got != want || len(g.Points) != 3 || !math.IsInf(g.Worst.Float(), 1) {
			t.Errorf("%s %s: %d trials, %d not recovered, worst %v, %d points; want %v", g.Layer, g.Op, g.Trials, g.Censored, g.Worst, len(g.Points), want)
		}
		if want := 3 - want[0]; g.Unwell != want {
			t.Errorf("%s %s: %d trials in which other parts did not recover, want %d", g.Layer, g.Op, g.Unwell, want)
		}
		// The gate on that row.
		n := 0
		for _, v := range values(gateOn("recovery.time", "act", g.Act, "layer", g.Layer, "op", g.Op, "shard", g.Shard), trials) {
			if v.Valid {
				n++
			}
		}
		if n != g.Trials {
			t.Errorf("%s %s: the table counts %d trials, a gate %d", g.Layer, g.Op, g.Trials, n)
		}
	}
}
