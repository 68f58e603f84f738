package report

import (
	"math"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
)

// scrapedTrial has a warm-up of 10 s, a steady phase of 10 s and a cool-down.
func scrapedTrial() *trial {
	t := &trial{state: TrialValid, end: 30 * s}
	t.done.Phases = []rundir.Phase{{Name: "warmup", To: 10 * s}, {Name: "steady", From: 10 * s, To: 20 * s}, {Name: "cooldown", From: 20 * s, To: 30 * s}}
	t.scrapes, t.texts = map[string][]scraped{}, texts{}
	api := func(at int64, samples map[string]float64) {
		samples[`apiserver_flowcontrol_current_limit_seats{priority_level="events"}`] = 2
		samples[`apiserver_request_total{code="200",resource="pods",verb="LIST"}`] = float64(at / s)
		samples["something_else"] = 9
		t.keep(rundir.Scrape{At: at, Component: "kube-apiserver-0", Samples: samples})
	}
	const rejected = `apiserver_flowcontrol_rejected_requests_total{priority_level="events",reason="queue-full"}`
	const full = `apiserver_flowcontrol_rejected_requests_total{priority_level="events",reason="time-out"}`
	const seats = `apiserver_flowcontrol_current_executing_seats{priority_level="events"}`
	const wait = `apiserver_flowcontrol_request_wait_duration_seconds`
	api(8*s, map[string]float64{seats: 9})
	api(12*s, map[string]float64{rejected: 4, seats: 1, wait + `_sum{priority_level="events"}`: 1, wait + `_count{priority_level="events"}`: 10})
	api(16*s, map[string]float64{rejected: 10, full: 3, seats: 2, wait + `_sum{priority_level="events"}`: 3, wait + `_count{priority_level="events"}`: 20})
	t.keep(rundir.Scrape{At: 17 * s, Component: "kube-apiserver-0", Err: "refused"})
	api(19*s, map[string]float64{rejected: 1, full: 3, seats: 1, wait + `_sum{priority_level="events"}`: 3, wait + `_count{priority_level="events"}`: 20})
	api(28*s, map[string]float64{rejected: 50, full: 3, seats: 8})
	etcd := func(component string, at int64, size, snapshots float64) {
		t.keep(rundir.Scrape{At: at, Component: component, Samples: map[string]float64{
			"etcd_mvcc_db_total_size_in_bytes": size, "etcd_snap_fsync_duration_seconds_count": snapshots,
		}})
	}
	for i, at := range []int64{8 * s, 12 * s, 18 * s} {
		etcd("etcd-main-0", at, float64(100+i), float64(2*i))
		etcd("etcd-main-1", at, float64(200-i), 0)
		etcd("etcd-events-0", at, 5000, 1)
	}
	return t
}

func TestWhatServersTell(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		name string
		gate rundir.Gate
		want float64
	}{
		// 4 from nothing, 6 and 3 more; then the counter begins anew at 1.
		{"a counter's growth over its series, and through a restart", gateOn("apf.rejected", "level", "events", "phase", "steady"), 14},
		{"the measured phases", gateOn("apf.rejected"), 14},
		{"another phase", gateOn("apf.rejected", "phase", "cooldown"), 49},
		{"what never happened", gateOn("apf.dispatched", "level", "events"), 0},
		{"a level that is not there is not measured", gateOn("apf.rejected", "level", "evnts"), nan},
		{"a peak", gateOn("apf.seats", "level", "events", "phase", "steady"), 2},
		{"a mean wait", gateOn("apf.wait", "level", "events", "phase", "steady"), 3.0 / 20},
		{"requests by verb, written small", gateOn("server.requests", "verb", "list", "resource", "pods", "phase", "steady"), 11},
		{"requests of another verb are not measured", gateOn("server.requests", "verb", "get", "phase", "steady"), nan},
		{"no streaming list", gateOn("server.watchLists", "phase", "steady"), 0},
		{"the largest member of a shard", gateOn("etcd.db.size", "shard", "main", "phase", "steady"), 199},
		{"one member", gateOn("etcd.db.size", "component", "etcd-main-0", "phase", "steady"), 102},
		{"snapshots of all members", gateOn("etcd.snapshots", "phase", "steady"), 4},
		{"no such shard", gateOn("etcd.snapshots", "shard", "pods"), nan},
		{"no scrape in the phase", gateOn("etcd.db.size", "phase", "cooldown"), nan},
	} {
		tr := scrapedTrial()
		got := tr.measure(c.gate)
		if got.v != c.want && !(math.IsNaN(got.v) && math.IsNaN(c.want)) {
			t.Errorf("%s: got %v (%s), want %v", c.name, got.v, got.note, c.want)
		}
		if math.IsNaN(got.v) && got.note == "" {
			t.Errorf("%s: nothing is said of why there is no value", c.name)
		}
	}
}

func TestIsolation(t *testing.T) {
	trialOf := func(quiet, loud int64, n uint64, late uint64) *trial {
		tr := &trial{state: TrialValid, end: 30 * s}
		tr.cells = map[cellKey]*cell{}
		add := func(workload, verb, phase string, n uint64, us int64) {
			c := &cell{ok: n, codes: map[string]uint64{}}
			c.hist.Add([]latency.Bin{{US: us, N: n}})
			tr.cells[cellKey{rundir.Key{Workload: workload, Verb: verb, Resource: "pods"}, phase}] = c
		}
		add("apps", "create", "warmup", 500, 9_000_000)
		add("apps", "create", "steady", n, loud)
		add("apps", "create", "cooldown", n, quiet)
		add("apps", "get", "cooldown", n, 9_000_000)
		add("rogue", "list", "steady", 1000, 1_000_000)
		if late > 0 {
			add("rogue", "list", "cooldown", late, 1_000_000)
		}
		return tr
	}
	timedOut := func(phase string) *trial {
		tr := trialOf(10_000, 50_000, 200, 0)
		c := tr.cells[cellKey{rundir.Key{Workload: "apps", Verb: "create", Resource: "pods"}, phase}]
		c.failed, c.codes = 20, map[string]uint64{"timeout": 20}
		return tr
	}
	rejected := trialOf(10_000, 10_000, 200, 0)
	answered := rejected.cells[cellKey{rundir.Key{Workload: "apps", Verb: "create", Resource: "pods"}, "steady"}]
	answered.failed, answered.codes = 300, map[string]uint64{"429": 300}
	gate := gateOn("isolation", "workload", "apps", "verb", "mutating", "aggressor", "rogue")
	if got := rejected.measure(gate); got.v != 1 || got.failing != 0.6 {
		t.Errorf("of 500 requests 300 were rejected: %+v", got)
	}
	least := 0.5
	held := gate
	held.Min = &least
	m, _ := metricOf("isolation")
	if got := (&judgement{trials: []*trial{rejected}}).absolute(held, m, ""); got.Verdict != Pass || !strings.Contains(got.Reason, "p99 10 ms alone, 10 ms beside the aggressor; 300 requests failed and have no latency") {
		t.Errorf("a bound that was held by what was rejected does not say so: %s, %s", got.Verdict, got.Reason)
	}
	for _, c := range []struct {
		name string
		t    *trial
		gate rundir.Gate
		want float64
		note string
	}{
		{"five times as slow", trialOf(10_000, 50_000, 200, 0), gate, 0.2, "p99 10 ms alone, 50 ms beside the aggressor"},
		{"not felt", trialOf(10_000, 10_000, 200, 0), gate, 1, ""},
		{"a straggler leaves the quiet quiet", trialOf(10_000, 50_000, 200, 5), gate, 0.2, ""},
		{"without a quiet phase", trialOf(10_000, 50_000, 200, 500), gate, math.NaN(), "0 requests succeeded without the aggressor"},
		{"too few for a p99", trialOf(10_000, 50_000, 99, 0), gate, math.NaN(), "99 requests succeeded"},
		{"timeouts beside the aggressor", timedOut("steady"), gate, 0, "p99 10 ms alone, ∞ beside the aggressor; 20 requests did not end in time"},
		{"timeouts that end when it is over", timedOut("cooldown"), gate, 0.2, ""},
		{"no aggressor", trialOf(10_000, 50_000, 200, 0), gateOn("isolation", "workload", "apps", "aggressor", "other"), math.NaN(), "the aggressor made no request"},
	} {
		got := c.t.measure(c.gate)
		if math.Abs(got.v-c.want) > 0.01 || math.IsNaN(got.v) != math.IsNaN(c.want) {
			t.Errorf("%s: got %v (%s), want %v", c.name, got.v, got.note, c.want)
		}
		if !strings.Contains(got.note, c.note) {
			t.Errorf("%s: the note is %q", c.name, got.note)
		}
	}
}
