package report

import (
	"math"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
)

// A trial that the system under test made unusable is none that noise took: with one
// such trial of eight no bound passes, and no comparison in which the other profile
// has none. With one of each the comparison is of what is left.
func TestOneOwnFailureIsNoNoise(t *testing.T) {
	list := func(profile string, own int) []TrialValue {
		var out []TrialValue
		for i := range 8 {
			v := TrialValue{Trial: profile + string(rune('0'+i)), Profile: profile, Block: i + 1, Value: Number(1 + 0.01*float64(i)), Valid: true}
			if i == own {
				v.Valid, v.own, v.Note = false, "a component died unasked: kube-apiserver-0", "a component died unasked"
			}
			out = append(out, v)
		}
		return out
	}
	j := &judgement{run: rundir.Run{Blocks: 8}}
	for name, c := range map[string]struct {
		base, profile int
		want          Verdict
		says          string
	}{
		"none":             {-1, -1, Pass, "no difference"},
		"one of the build": {-1, 3, Invalid, "of the trials 0 with a and 1 with b cannot be used for what the system itself did (b3: a component died unasked)"},
		"one of the base":  {3, -1, Invalid, "of the trials 1 with a and 0 with b"},
		"one of each":      {3, 3, Pass, "no difference"},
	} {
		got := j.compare(rundir.Gate{Metric: "recovery.time", Compare: "a", Margin: 0.25}, true, "seconds", list("a", c.base), list("b", c.profile), "b")
		got.Margin = 0.25
		if v, reason := got.verdict(1); v != c.want || !strings.Contains(reason, c.says) {
			t.Errorf("%s: %s: %s", name, v, reason)
		}
	}
}

// A bound that the other trials keep is not passed where one trial's component died;
// the generator's own failing is no such reason, nor is a trial that was cut off.
func TestNoPassOnTheBetterPart(t *testing.T) {
	top := 5.0
	g := rundir.Gate{Metric: "recovery.time", Where: map[string]string{"layer": "api"}, Max: &top}
	m, _ := metricOf(g.Metric)
	for name, c := range map[string]struct {
		change func(*trial)
		want   Verdict
		says   string
	}{
		"all well":         {func(*trial) {}, Pass, ""},
		"a component died": {func(t *trial) { t.done.Exits = []string{"etcd-main-0: exit status 2"} }, Invalid, "no pass is given on what is left"},
		"under its floor":  {func(t *trial) { t.done.Invalid = []string{rundir.UnderFloor + " before the fault"} }, Invalid, "under its floor"},
		"under its floor, by storm": {func(t *trial) {
			t.done.Invalid = []string{rundir.UnderFloor + " before the fault"}
			t.done.Health.Problems = []string{"late"}
		}, Pass, "1 trial of 3 not valid"},
		"late":                           {func(t *trial) { t.done.Health.Problems = []string{"late"} }, Pass, "1 trial of 3 not valid"},
		"nothing ended before the fault": {func(t *trial) { t.done.Invalid = []string{noRequest} }, Invalid, noRequest},
		"not read back":                  {func(t *trial) { t.done.Invalid = []string{rundir.NotReadBack + ": context deadline exceeded"} }, Invalid, rundir.NotReadBack},
		"not read back, and storm left it broken": {func(t *trial) {
			t.done.Invalid, t.done.Acts[0].Error = []string{rundir.NotReadBack + ": context deadline exceeded"}, "could not be healed: no such process"
		}, Pass, "1 trial of 3 not valid"},
		"not whole before": {func(t *trial) {
			t.done.Acts[1] = rundir.Act{Name: "defrag", Sort: "operation", Intended: 14 * s, Error: rundir.NotWhole + ": etcd-main-1: linearizable read: timeout"}
		}, Invalid, "defrag not started, because the cluster was not whole"},
		"not whole before a fault": {func(t *trial) {
			t.done.Acts[0] = rundir.Act{Name: "kill", Sort: "fault", Intended: 10 * s, Error: rundir.NotWhole + ": timeout"}
		}, Invalid, "kill not started"},
		"an operation could not be done": {func(t *trial) {
			t.done.Acts[1] = rundir.Act{Name: "restore", Sort: "operation", Intended: 14 * s, Injected: 15 * s, Error: "could not be done: starting the members: timeout"}
		}, Invalid, "restore could not be done"},
		"and storm was late": {func(t *trial) {
			t.done.Acts[1] = rundir.Act{Name: "restore", Sort: "operation", Intended: 14 * s, Injected: 15 * s, Error: "could not be done: starting the members: timeout"}
			t.done.Health.Problems = []string{"late"}
		}, Pass, "1 trial of 3 not valid"},
		"an operation without a proof": {func(t *trial) { t.done.Acts[1].Injected, t.done.Acts[1].Proven = 15*s, 0 }, Invalid, "had no effect that was proven"},
		"an operation that could not be aimed": {func(t *trial) {
			t.done.Acts[1] = rundir.Act{Name: "restore", Sort: "operation", Intended: 14 * s, Error: "could not be aimed: there is no backup"}
		}, Pass, "1 trial of 3 not valid"},
		"a fault without an effect": {func(t *trial) { t.done.Acts[0].Injected, t.done.Acts[0].Proven = 10*s, 0 }, Pass, "1 trial of 3 not valid"},
		"a fault without an effect, and nothing to disarm": {func(t *trial) {
			t.done.Acts[0].Injected, t.done.Acts[0].Proven = 10*s, 0
			t.done.Acts[1] = rundir.Act{Name: "disarm", Sort: "operation", Intended: 14 * s, Injected: 15 * s, Error: "could not be done: no alarm was raised"}
		}, Pass, "1 trial of 3 not valid"},
		"not back": {func(t *trial) {
			t.done.Acts[0].Unhealed, t.done.Acts[0].Error = true, "could not be healed: no quorum"
			t.done.Acts[0].Recovery = nil
		}, Regressed, "not recovered when the observation ended after 10 s"},
		"not back, but the API is": {func(t *trial) {
			t.done.Acts[0].Unhealed, t.done.Acts[0].Error = true, "could not be healed: etcd-main-1 follows nobody"
		}, Invalid, "no pass is given"},
		"not back, and storm was late": {func(t *trial) {
			t.done.Acts[0].Unhealed, t.done.Acts[0].Error = true, "could not be healed: no quorum"
			t.done.Health.Problems = []string{"late"}
		}, Invalid, "no pass is given"},
	} {
		j := &judgement{run: rundir.Run{Blocks: 3}}
		for i := range 3 {
			one := aTrial()
			one.ID, one.Profile, one.Block = string(rune('a'+i)), "stock", i+1
			one.done.Outcome = "done"
			if i == 1 {
				c.change(one)
				one.judge()
			}
			j.trials = append(j.trials, one)
		}
		if got := j.absolute(g, m, "stock"); got.Verdict != c.want || !strings.Contains(got.Reason, c.says) {
			t.Errorf("%s: %s: %s", name, got.Verdict, got.Reason)
		}
	}
}

// Latencies of two profiles are compared only where about as many requests of each
// have one.
func TestFailuresHideLatencies(t *testing.T) {
	for name, c := range map[string]struct {
		metric, stat  string
		base, profile float64
		want          bool
	}{
		"as many":               {"api.latency", "p99", 0.2, 0.205, false},
		"more than the tail":    {"api.latency", "p99", 0, 0.02, true},
		"fewer, by the tail":    {"api.latency", "p99", 0.02, 0, true},
		"a median bears more":   {"api.latency", "p50", 0, 0.08, false},
		"but not everything":    {"api.latency", "p50", 0, 0.5, true},
		"no latency, no matter": {"api.errors", "", 0, 0.5, false},
		"beside an aggressor":   {"isolation", "", 0, 0.02, true},
		"beside it, as many":    {"isolation", "", 0.02, 0.025, false},
	} {
		got := &Comparison{Metric: c.metric, Stat: c.stat, failBase: c.base, failProf: c.profile}
		if got.hidden() != c.want {
			t.Errorf("%s: %v", name, got.hidden())
		}
	}
}

// A sum over components from which one is missing is not measured, unless an act took
// that one down.
func TestAComponentThatToldNothing(t *testing.T) {
	most := rundir.Gate{Metric: "process.memory", Where: map[string]string{"component": "etcd-main", "phase": "steady"}}
	for name, c := range map[string]struct {
		change func(*trial)
		want   string
	}{
		"all told":        {func(*trial) {}, ""},
		"a third planned": {func(t *trial) { t.planned = append(t.planned, "etcd-main-2") }, "no memory sample of etcd-main-2 in these phases"},
		"and taken down": {func(t *trial) {
			t.planned = append(t.planned, "etcd-main-2")
			t.done.Acts[0].Down = []string{"etcd-main-2"}
		}, ""},
		"one of another kind": {func(t *trial) { t.planned = append(t.planned, "etcd-events-0") }, ""},
		"silent in the phase": {func(t *trial) { t.procs["etcd-main-1"] = t.procs["etcd-main-1"][:0] }, "no memory sample of etcd-main-1 in these phases"},
	} {
		one := aTrial()
		one.planned = []string{"etcd-main-0", "etcd-main-1"}
		c.change(one)
		if got := one.memory(most); math.IsNaN(got.v) != (c.want != "") || c.want != "" && got.note != c.want {
			t.Errorf("%s: %v, %q", name, got.v, got.note)
		}
	}
}

func TestLabelOf(t *testing.T) {
	for labels, want := range map[string]string{
		`subresource="x",resource="pods"}`:        "pods",
		`a="\"},resource=\"no",resource="nodes"}`: "nodes",
		`subresource="pods"}`:                     "",
		`resource="cut`:                           "cut",
		``:                                        "",
	} {
		if got, _ := labelOf(labels, "resource"); got != want {
			t.Errorf("%s: %q", labels, got)
		}
	}
}

// What had hung when the load ended belongs to a phase that had begun when it began
// to hang, and not to a recovery that was over at once.
func TestWhatHungBelongsWhereItBegan(t *testing.T) {
	key := rundir.Key{Workload: "nodes", Verb: "start", Resource: "pods", Via: "watch"}
	for name, c := range map[string]struct {
		code     string
		recovery int64 // how long that phase was
		want     string
	}{
		"over at once":      {"unended", s / 100, "fault"},
		"long enough":       {"unended", 3 * s, "recovery"},
		"what may be young": {"unsynced", s / 100, "recovery"},
	} {
		one := aTrial()
		one.done.Phases = append(one.done.Phases, rundir.Phase{Name: "recovery", From: 20 * s, To: 20*s + c.recovery})
		one.window(rundir.Window{Key: key, From: 30 * s, To: 31 * s, Errors: map[string]uint64{c.code: 3}}, nil, nil)
		if got := one.cells[cellKey{key, c.want}]; got == nil || got.failed != 3 {
			t.Errorf("%s: nothing in %s", name, c.want)
		}
	}
}
