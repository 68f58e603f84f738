package report

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
)

const s = int64(1e9)

func aTrial() *trial {
	t := &trial{state: TrialValid, end: 20 * s}
	t.done.Phases = []rundir.Phase{{Name: "warmup", To: 2 * s}, {Name: "steady", From: 2 * s, To: 10 * s}, {Name: "fault", From: 10 * s, To: 20 * s}}
	t.cells = map[cellKey]*cell{}
	add := func(k rundir.Key, phase string, ok, failed uint64, us int64) {
		c := &cell{ok: ok, failed: failed, codes: map[string]uint64{"500": failed}}
		c.hist.Add([]latency.Bin{{US: us, N: ok}})
		t.cells[cellKey{k, phase}] = c
	}
	add(rundir.Key{Workload: "churn", Verb: "create", Resource: "events"}, "steady", 800, 0, 3000)
	add(rundir.Key{Workload: "churn", Verb: "create", Resource: "events"}, "warmup", 100, 90, 9_000_000)
	add(rundir.Key{Workload: "churn", Verb: "create", Resource: "events"}, "fault", 100, 300, 5_000_000)
	add(rundir.Key{Workload: "lists", Verb: "list", Resource: "pods", Scope: "cluster"}, "steady", 80, 0, 40_000)
	add(rundir.Key{Workload: "nodes", Verb: "watch", Resource: "pods"}, "steady", 200, 0, 60_000_000)
	add(rundir.Key{Workload: "nodes", Verb: "start", Resource: "pods", Via: "watch", Detail: "created-running"}, "steady", 200, 0, 60_000_000)
	add(rundir.Key{Workload: "nodes", Verb: "start", Resource: "pods", Via: "watch", Detail: "created-scheduled"}, "steady", 240, 0, 60_000_000)
	add(rundir.Key{Workload: "nodes", Verb: "update", Resource: "leases.coordination.k8s.io"}, "fault", 300, 5, 900_000)
	add(rundir.Key{Workload: "tried", Verb: "renew", Resource: "leases.coordination.k8s.io", Via: "watch"}, "fault", 90, 10, 500_000)
	add(rundir.Key{Workload: "renewing", Verb: "renew", Resource: "leases.coordination.k8s.io", Via: "watch"}, "fault", 100, 0, 300_000)
	add(rundir.Key{Workload: "ramp", Verb: "stage", Resource: "pods", Via: "watch", Detail: "to 5"}, "warmup", 1, 0, 40_000_000)
	add(rundir.Key{Workload: "ramp", Verb: "stage", Resource: "pods", Via: "watch", Detail: "to 10"}, "steady", 1, 0, 50_000_000)
	add(rundir.Key{Workload: "ramp", Verb: "bind", Resource: "pods", Via: "watch", Detail: "to 10"}, "warmup", 40, 0, 1_000)
	add(rundir.Key{Workload: "ramp", Verb: "bind", Resource: "pods", Via: "watch", Detail: "to 10"}, "steady", 60, 0, 1_000)
	add(rundir.Key{Workload: "ramp", Verb: "bind", Resource: "pods", Via: "watch", Detail: "to 20"}, "steady", 1_000, 0, 1_000)
	add(rundir.Key{Workload: "ramp", Verb: "bind", Resource: "pods", Via: "watch", Detail: "to 10"}, "fault", 500, 0, 1_000) // anew
	add(rundir.Key{Workload: "herd", Verb: "sync", Resource: "pods", Via: "watch"}, "steady", 10, 0, 500_000)
	add(rundir.Key{Workload: "watchers", Verb: "deliver", Resource: "configmaps", Via: "watch"}, "steady", 1000, 1, 20_000)
	add(rundir.Key{Workload: "probe", Verb: "get", Resource: "configmaps"}, "steady", 500, 400, 1)
	add(rundir.Key{Workload: "direct", Verb: "txn", Via: "etcd", Detail: "create"}, "steady", 180, 20, 4000)
	add(rundir.Key{Workload: "direct", Verb: "range", Via: "etcd", Detail: "get"}, "steady", 200, 0, 1000)
	add(rundir.Key{Workload: "direct", Verb: "grant", Via: "etcd"}, "steady", 2000, 100, 9_000_000)
	add(rundir.Key{Workload: "witness", Verb: "put", Via: "etcd"}, "steady", 500, 400, 1)
	t.events = []rundir.Event{
		{Kind: rundir.EventNote, Subject: "main", Text: "etcd-main-0 leads, in term 2"},
		{At: 1 * s, Kind: rundir.EventLeaderChange, Subject: "main"},
		{At: 11 * s, Kind: rundir.EventLeaderChange, Subject: "main"},
		{At: 12 * s, Kind: rundir.EventLeaderChange, Subject: "events"},
	}
	t.procs = map[string][]process{
		"etcd-main-0": {{at: 1 * s, pid: 1, cpu: 5, rss: 900}, {at: 4 * s, pid: 1, cpu: 6, rss: 100}, {at: 6 * s, pid: 1, cpu: 8, rss: 300}, {at: 8 * s, pid: 2, cpu: 1.5, rss: 50}},
		"etcd-main-1": {{at: 4 * s, pid: 3, cpu: 1, rss: 200}, {at: 6 * s, pid: 3, cpu: 2, rss: 250}},
		"storm":       {{at: 4 * s, pid: 9, cpu: 1, rss: 5000}, {at: 6 * s, pid: 9, cpu: 9, rss: 5000}},
	}
	t.scrapes, t.texts = map[string][]scraped{}, texts{}
	for at := 3 * s; at < 8*s; at += 2 * s {
		samples := map[string]float64{}
		for _, family := range keptFamilies {
			samples[family+`{priority_level="events",resource="pods",verb="LIST"}`] = float64(at)
		}
		t.keep(rundir.Scrape{At: at, Component: "kube-apiserver-0", Samples: samples})
	}
	t.done.Acts = []rundir.Act{
		{Name: "kill", Kind: "leaderKill", Sort: "fault", Intended: 10 * s, Proven: 11 * s, Recovery: []rundir.Recovery{
			{Layer: "api", Op: "write", Worst: true, RTO: 2 * s, Probes: 9, Longest: s, Target: "kube-apiserver-0"},
			{Layer: "api", Op: "write", RTO: 7 * s, Probes: 9, Target: "kube-apiserver-1"},
			{Layer: "api", Op: "read", Worst: true, RTO: s, Probes: 9, Longest: 3 * s},
			{Layer: "etcd", Op: "write", Shard: "main", Worst: true, Probes: 9, Censored: true, Seen: 6 * s},
		}},
		{Name: "defrag", Kind: "defrag", Sort: "operation", Intended: 14 * s, Proven: 17 * s},
	}
	t.done.Journal = []rundir.Audit{
		{After: "kill", Via: "etcd", Shard: "main", Acked: 10, Lost: 2},
		{After: "end", Via: "etcd", Shard: "main", Acked: 20, Lost: 2},
		{After: "end", Via: "api", Shard: "main", Acked: 20, Lost: 1, Restored: 4, Mismatch: 1},
		{After: "end", Via: "etcd", Shard: "events"},
	}
	return t
}

func TestMeasure(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name string
		gate rundir.Gate
		stat string
		want float64
	}{
		{"latency leaves out watches, probes and the warm-up", gateOn("api.latency", "phase", "steady"), "max", 0.04},
		{"latency of the measured phases", gateOn("api.latency", "verb", "mutating"), "max", 5},
		{"latency by verb", gateOn("api.latency", "verb", "create", "phase", "steady"), "p99", 0.003},
		{"latency of a phase by name", gateOn("api.latency", "verb", "mutating", "phase", "warmup"), "p50", 9},
		{"the p99 of 80 is the largest", gateOn("api.latency", "verb", "list"), "p99", 0.04},
		{"reads are a group", gateOn("api.latency", "verb", "read"), "p50", 0.04},
		{"a watch's length, if asked for", gateOn("api.latency", "verb", "watch"), "p50", 60},
		{"no such workload", gateOn("api.latency", "workload", "other"), "p50", nan},
		{"errors", gateOn("api.errors", "phase", "fault"), "", 305.0 / 705},
		{"errors of measured phases", gateOn("api.errors"), "", 305.0 / 1585},
		{"no requests, no error rate", gateOn("api.errors", "phase", "recovery"), "", nan},
		{"throughput", gateOn("api.throughput", "phase", "steady"), "", 110},
		{"worst recovery of all is censored", gateOn("recovery.time"), "", inf},
		{"recovery by layer", gateOn("recovery.time", "layer", "api"), "", 2},
		{"recovery by op and kind of act", gateOn("recovery.time", "layer", "api", "op", "read", "act", "leaderKill"), "", 1},
		{"gap", gateOn("recovery.gap", "layer", "api"), "", 3},
		{"recovery of an act that had none", gateOn("recovery.time", "act", "defrag"), "", nan},
		{"lost writes once each", gateOn("writes.lost"), "", 3},
		{"lost by act", gateOn("writes.lost", "act", "kill"), "", 2},
		{"restored", gateOn("restore.lost", "layer", "api"), "", 4},
		{"mismatch", gateOn("restore.mismatch"), "", 1},
		{"no write acknowledged, none known lost", gateOn("writes.lost", "shard", "events"), "", nan},
		{"operation", gateOn("operation.duration"), "", 3},
		{"time to a fault's proof", gateOn("operation.duration", "act", "kill"), "", 1},
		{"leader changes, warm-up left out", gateOn("etcd.leader.changes"), "", 2},
		{"leader changes of a shard", gateOn("etcd.leader.changes", "shard", "main"), "", 1},
		{"leader changes that nobody watched", gateOn("etcd.leader.changes", "shard", "leases"), "", nan},
		{"memory of all but storm", gateOn("process.memory"), "", 300},
		{"memory of storm", gateOn("process.memory", "component", "storm"), "", 5000},
		{"memory of one member", gateOn("process.memory", "component", "etcd-main-1"), "", 250},
		{"cpu of members together, over a restart", gateOn("process.cpu", "component", "etcd", "phase", "steady"), "", 1 + 2 + 1.5 + 1},
		{"cpu of nothing", gateOn("process.cpu", "component", "kube-scheduler"), "", nan},
		{"starts of pods, whole", gateOn("pod.start"), "p50", 60},
		{"starts of pods, in part", gateOn("pod.start", "detail", "scheduled-running"), "p50", nan},
		{"the longest stage", gateOn("stage.time", "workload", "ramp"), "max", 50},
		{"a stage, also of the warm-up", gateOn("stage.time", "detail", "to 5"), "max", 40},
		{"pods scheduled a second", gateOn("scheduler.throughput", "workload", "nodes", "phase", "steady"), "", 30},
		{"pods scheduled a second while the stages that ended in the phase lasted", gateOn("scheduler.throughput", "workload", "ramp", "phase", "steady"), "", 100.0 / 50},
		{"leases, failed ones late", gateOn("lease.onTime", "workload", "nodes"), "", 300.0 / 305},
		{"leases, a heartbeat once however often it was tried", gateOn("lease.onTime", "workload", "tried"), "", .9},
		{"leases of two fleets", gateOn("lease.onTime"), "", .95},
		{"renewals, of which half were quicker", gateOn("lease.renewal", "workload", "tried"), "p50", 0.5},
		{"renewals of nobody", gateOn("lease.renewal", "workload", "churn"), "p50", nan},
		{"leases of nobody", gateOn("lease.onTime", "workload", "churn"), "", nan},
		{"syncs", gateOn("informer.sync", "workload", "herd"), "max", 0.5},
		{"deliveries", gateOn("watch.delivery", "resource", "configmaps"), "p99", 0.02},
		{"latency at etcd, storm's own and leases left out", gateOn("etcd.latency"), "max", .004},
		{"latency at etcd, of one verb", gateOn("etcd.latency", "workload", "direct", "verb", "read"), "max", .001},
		{"errors at etcd", gateOn("etcd.errors", "workload", "direct", "verb", "mutating"), "", .1},
		{"throughput at etcd", gateOn("etcd.throughput", "phase", "steady"), "", 380.0 / 8},
		{"a load on etcd asks no API server", gateOn("api.latency", "workload", "direct"), "max", nan},
		{"unknown metric", gateOn("bogus"), "", nan},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.gate.Stat = c.stat
			got := aTrial().measure(c.gate)
			same := got.v == c.want || math.IsNaN(got.v) && math.IsNaN(c.want) || math.Abs(got.v-c.want) < 1e-3*c.want
			if !same {
				t.Errorf("%v (%s), want %v", got.v, got.note, c.want)
			}
			if math.IsNaN(got.v) && got.note == "" {
				t.Error("a missing value must say why")
			}
			if math.IsInf(got.v, 1) && (!got.censored || got.seen != 6) {
				t.Errorf("a censored value must say how long it was watched: %+v", got)
			}
		})
	}
}

// The pods that were scheduled a second in stages are those over the stages' own time,
// unless that is not known of all of them.
func TestScheduledInStages(t *testing.T) {
	const stage, bind = "stage", "bind"
	type seen struct {
		verb, detail, phase string
		ok, failed          uint64
		seconds             int64
	}
	first, more := seen{stage, "to 5", "steady", 1, 0, 4}, seen{bind, "to 5", "steady", 40, 0, 0}
	for name, c := range map[string]struct {
		of   []seen
		want float64
	}{
		"one stage":                       {[]seen{first, more}, 10},
		"begun before":                    {[]seen{first, more, {bind, "to 5", "warmup", 20, 0, 0}}, 15},
		"bound anew after it":             {[]seen{first, more, {bind, "to 5", "fault", 500, 0, 0}}, 10},
		"one that was not reached":        {[]seen{first, more, {stage, "to 10", "steady", 0, 1, 0}, {bind, "to 10", "steady", 24, 0, 0}}, 64.0 / 8},
		"one that took longer than known": {[]seen{{stage, "to 5", "steady", 1, 0, 400}, more}, 40.0 / 8},
		"of another phase":                {[]seen{{stage, "to 5", "warmup", 1, 0, 4}, {bind, "to 5", "warmup", 40, 0, 0}}, math.NaN()},
		"none bound":                      {[]seen{first}, math.NaN()},
	} {
		t.Run(name, func(t *testing.T) {
			tr := aTrial()
			tr.cells = map[cellKey]*cell{}
			for _, of := range c.of {
				add := &cell{ok: of.ok, failed: of.failed, codes: map[string]uint64{"unended": of.failed}}
				add.hist.Add([]latency.Bin{{US: of.seconds*1_000_000 + 1, N: of.ok}})
				tr.cells[cellKey{rundir.Key{Workload: "ramp", Verb: of.verb, Resource: "pods", Via: "watch", Detail: of.detail}, of.phase}] = add
			}
			got := tr.measure(gateOn("scheduler.throughput", "phase", "steady"))
			if math.IsNaN(got.v) != math.IsNaN(c.want) || math.Abs(got.v-c.want) > 1e-3*c.want {
				t.Errorf("%v a second (%s), want %v", got.v, got.note, c.want)
			}
		})
	}
}

// What loads count when they end, after the last phase, is of the last phase that
// was measured: an informer that was never in sync keeps no bound.
func TestWhatIsSettledAfterTheLastPhaseCounts(t *testing.T) {
	for code, want := range map[string]float64{"unsynced": math.Inf(1), "reset": .5} {
		tr := aTrial()
		tr.done.Phases = append(tr.done.Phases, rundir.Phase{Name: "cooldown", From: 20 * s, To: 21 * s})
		tr.window(rundir.Window{
			Key: rundir.Key{Workload: "herd", Verb: "sync", Resource: "pods", Via: "watch"}, From: 21 * s, To: 22 * s, Errors: map[string]uint64{code: 1},
		}, nil, nil)
		g := gateOn("informer.sync")
		g.Stat = "max"
		if got := tr.measure(g); math.Abs(got.v-want) > 1e-3 {
			t.Errorf("%s: %v (%s), want %v", code, got.v, got.note, want)
		}
	}
}

// A stage that the load did not come to keeps no bound, and no other stage does for it.
func TestAStageThatWasNotReachedRanksWorst(t *testing.T) {
	tr := aTrial()
	tr.window(rundir.Window{
		Key: rundir.Key{Workload: "ramp", Verb: "stage", Resource: "pods", Via: "watch", Detail: "to 15"}, From: 20 * s, To: 21 * s, Errors: map[string]uint64{"unended": 1},
	}, nil, nil)
	for detail, want := range map[string]float64{"to 10": 50, "to 15": math.Inf(1), "": math.Inf(1)} {
		g := gateOn("stage.time")
		if detail != "" {
			g = gateOn("stage.time", "detail", detail)
		}
		g.Stat = "max"
		if got := tr.measure(g); got.v != want && math.Abs(got.v-want) > .1 || got.censored != math.IsInf(want, 1) {
			t.Errorf("%q: %+v, want %v", detail, got, want)
		}
	}
}

// Whatever a heartbeat failed with, its lease was not renewed: it ranks behind all
// that were.
func TestARenewalThatFailedRanksBehindAllOthers(t *testing.T) {
	g := gateOn("lease.renewal", "workload", "tried", "phase", "fault")
	for stat, want := range map[string]float64{"p50": .5, "p90": .5, "p99": math.Inf(1), "max": math.Inf(1)} {
		g.Stat = stat
		if got := aTrial().measure(g); got.v != want && !(math.Abs(got.v-want) < 1e-3*want) || got.samples != 100 || got.failing != 0 || !strings.Contains(got.note, "10 of 100 heartbeats failed and rank behind all others") {
			t.Errorf("%s: %+v, want %v", stat, got, want)
		}
	}
}

// Every metric of the vocabulary can be measured: a new one needs a line here.
func TestEveryMetricIsMeasured(t *testing.T) {
	for _, m := range rundir.Metrics() {
		g := gateOn(m.Name)
		if m.Name == "isolation" {
			g = gateOn(m.Name, "workload", "churn", "aggressor", "lists")
		}
		if m.Name == "lease.renewal" { // a mean takes a fleet of which none failed
			g = gateOn(m.Name, "workload", "renewing")
		}
		if len(m.Stats) > 0 {
			g.Stat = "p50"
		}
		if v := aTrial().measure(g); math.IsNaN(v.v) {
			t.Errorf("%s: %s", m.Name, v.note)
		}
		for _, stat := range m.Stats {
			g.Stat = stat
			if v := aTrial().measure(g); math.IsNaN(v.v) {
				t.Errorf("%s %s: %s", m.Name, stat, v.note)
			}
		}
		for _, label := range m.Where {
			g := gateOn(m.Name, label, "nothing is called so")
			g.Stat = "p50"
			if v := aTrial().measure(g); !math.IsNaN(v.v) && m.Name != "etcd.leader.changes" {
				t.Errorf("%s does not select by %s: %v", m.Name, label, v.v)
			}
		}
	}
}

func TestNumberJSON(t *testing.T) {
	for _, c := range []struct {
		n    Number
		json string
	}{
		{Missing(), "null"}, {Number(math.Inf(1)), `"+Inf"`}, {Number(math.Inf(-1)), `"-Inf"`}, {0, "0"}, {Number(math.Copysign(0, -1)), "0"},
		{1.5, "1.5"}, {-2, "-2"}, {1e20, "1e+20"}, {1.0 / 3, "0.333333333"}, {2097152, "2097152"}, {1e-9, "1e-09"},
	} {
		got, err := json.Marshal(c.n)
		if err != nil || string(got) != c.json {
			t.Errorf("%v: %s, %v; want %s", float64(c.n), got, err, c.json)
		}
		var back Number
		if err := json.Unmarshal(got, &back); err != nil || back.Is() != c.n.Is() || back.Is() && math.Abs(float64(back-c.n)) > 1e-8*math.Abs(float64(c.n)) {
			t.Errorf("%s read as %v, %v", got, back, err)
		}
	}
	var n Number
	if err := json.Unmarshal([]byte(`"lots"`), &n); err == nil {
		t.Error("a text is no number")
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		v    Number
		unit string
		want string
	}{
		{0.0000123, "seconds", "12.3 µs"}, {0.0123, "seconds", "12.3 ms"}, {1.005, "seconds", "1 s"}, {59.94, "seconds", "59.9 s"}, {600, "seconds", "10 min"},
		{0, "seconds", "0 s"}, {Number(math.Inf(1)), "seconds", "not recovered"}, {Missing(), "seconds", "n/a"}, {Number(math.Inf(1)), "count", "∞"},
		{0.0153, "fraction", "1.53 %"}, {102.4, "per second", "102/s"}, {291504128, "bytes", "278 MiB"}, {512, "bytes", "512 B"}, {12345, "count", "12345"},
	} {
		if got := Format(c.v, c.unit); got != c.want {
			t.Errorf("Format(%v, %s) = %q, want %q", float64(c.v), c.unit, got, c.want)
		}
	}
}
