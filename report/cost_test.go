package report_test

import (
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// costly is a run whose costs can be reckoned by hand: the steady phase goes
// from 10 s to 71 s and is scraped 31 times, every 2 s.
type costly struct {
	grown    []float64 // bytes of resident memory that the API server grows by, a trial
	baseline bool      // a mark that the load begins, and scrapes before it
	watches  float64   // more than before
	restart  bool      // the API server gets another process in the warm-up
	compact  int       // the scrape from which on history is compacted; -1: before the first; 0: never
	scrapes  int64     // of the steady phase
	witness  int64     // writes of the witness, all while the loads are prepared
	server   string
	resource string // of the lists, as the server counts it
}

func newCostly() costly {
	return costly{grown: []float64{90e6, 180e6}, baseline: true, watches: 9000, scrapes: 31, witness: 1200, server: "kube-apiserver-0", resource: "pods"}
}

func (c costly) analyse(t *testing.T) *report.Result {
	t.Helper()
	run := rundir.Run{ID: "r", Scenario: "s", Outcome: "complete", Profiles: []rundir.Profile{{Name: "stock"}}}
	for i := range c.grown {
		run.Plan = append(run.Plan, rundir.Planned{ID: []string{"001-b1-stock", "002-b2-stock"}[i], Block: i + 1, Profile: "stock"})
	}
	path := filepath.Join(t.TempDir(), "run")
	d, err := rundir.Create(path, run)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range run.Plan {
		td, err := d.Trial(p.ID)
		if err != nil {
			t.Fatal(err)
		}
		c.trial(t, td, c.grown[i])
		if err := td.Finish(rundir.Trial{Outcome: "done", Duration: 72 * second, Phases: []rundir.Phase{
			{Name: "warmup", From: 5 * second, To: 10 * second}, {Name: "steady", From: 10 * second, To: 71 * second},
		}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	opened, err := rundir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.Analyse(opened)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// bursts are how many lists end between two scrapes.
var bursts = []float64{0, 9, 1, 7, 0, 3, 12, 2, 5, 0}

func (c costly) trial(t *testing.T, td *rundir.TrialDir, grown float64) {
	t.Helper()
	td.AppendEvent(rundir.Event{Kind: rundir.EventOrigin, Wall: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)})
	api := map[string]float64{
		"process_cpu_seconds_total": 5, "process_resident_memory_bytes": 300e6, "go_memstats_heap_inuse_bytes": 100e6,
		`apiserver_longrunning_requests{resource="pods",verb="WATCH"}`: 20, `apiserver_longrunning_requests{resource="pods",verb="CONNECT"}`: 7,
	}
	etcd := map[string]float64{
		"process_cpu_seconds_total": 1, "etcd_mvcc_db_total_size_in_use_in_bytes": 2e6, "etcd_debugging_mvcc_keys_total": 500,
		"etcd_debugging_mvcc_current_revision": 1000, "etcd_debugging_mvcc_compact_revision": 0,
	}
	scrape := func(at int64, component string, m map[string]float64) {
		td.AppendScrape(rundir.Scrape{At: at, Component: component, Samples: maps.Clone(m)})
	}
	if c.baseline {
		scrape(second/20, c.server, api)
		scrape(second/20, "etcd-main-0", etcd)
		td.AppendEvent(rundir.Event{At: second / 10, Kind: rundir.EventLoadBegin})
	}
	for i := range c.witness {
		td.AppendWrite(rundir.Write{Intended: second, Done: second + i, Via: "etcd", Shard: "main", Key: strconv.FormatInt(i, 10), Revision: i + 1})
	}
	td.AppendWrite(rundir.Write{Intended: second, Done: second, Via: "etcd", Shard: "main", Key: "failed", Err: "timeout"})
	lists, leases := latencies(t, 10, 1), latencies(t, 1000, 1)
	td.AppendWindow(rundir.Window{Key: rundir.Key{Workload: "fleet", Verb: "create", Resource: "nodes", Scope: "resource"}, From: second, To: 2 * second, OK: 1000, Hist: leases})
	pid := 7
	for s := range int64(72) {
		if c.restart && s == 6 {
			pid = 8
		}
		td.AppendProcess(rundir.Process{At: s * second, Component: c.server, PID: pid, UserNS: s * second / 2})
	}
	td.AppendWindow(rundir.Window{
		Key: rundir.Key{Workload: "lists", Verb: "list", Resource: c.resource, Scope: "cluster"}, From: 20 * second, To: 21 * second,
		Errors: map[string]uint64{"429 retry-after": 3, "504": 1, "timeout": 2, "refused": 7},
	})
	api["process_resident_memory_bytes"] += grown
	api["go_memstats_heap_inuse_bytes"] += grown / 2
	api[`apiserver_longrunning_requests{resource="leases",verb="WATCH"}`] = c.watches
	etcd["etcd_debugging_mvcc_keys_total"] = 3500
	etcd["etcd_mvcc_db_total_size_in_use_in_bytes"] = 5e6
	etcd["etcd_debugging_mvcc_current_revision"] = 5000
	for i := range c.scrapes {
		at := 10*second + 2*second*i
		scrape(at, c.server, api)
		if c.compact != 0 && i >= int64(c.compact) {
			etcd["etcd_debugging_mvcc_compact_revision"] = 900
		}
		scrape(at, "etcd-main-0", etcd)
		n := bursts[i%10]
		td.AppendWindow(rundir.Window{Key: rundir.Key{Workload: "fleet", Verb: "update", Resource: "leases.coordination.k8s.io", Scope: "resource"}, From: at, To: at + second, OK: 1000, Hist: leases})
		td.AppendWindow(rundir.Window{Key: rundir.Key{Workload: "lists", Verb: "list", Resource: c.resource, Scope: "cluster"}, From: at, To: at + second, OK: 10, Bytes: 2e6, Hist: lists})
		// Two seconds of 0.1 s, 1000 renewals of 0.2 ms, lists of 50 ms each.
		api["process_cpu_seconds_total"] += 0.2 + 0.2 + 0.05*n
		api[`apiserver_request_total{code="200",resource="leases",verb="PUT"}`] += 1000
		api[`apiserver_request_total{code="200",resource=`+strconv.Quote(c.resource)+`,verb="LIST"}`] += n
		etcd["etcd_mvcc_db_total_size_in_use_in_bytes"] += 40_000
		etcd["etcd_debugging_mvcc_current_revision"] += 100
	}
}

func figure(t *testing.T, r *report.Result, name, part string) report.CostFigure {
	t.Helper()
	if len(r.Costs) != 1 {
		t.Fatalf("%d costs", len(r.Costs))
	}
	i := slices.IndexFunc(r.Costs[0].Figures, func(f report.CostFigure) bool { return f.Name == name && f.Part == part })
	if i < 0 {
		t.Fatalf("no figure %s %q", name, part)
	}
	return r.Costs[0].Figures[i]
}

func TestCostFigures(t *testing.T) {
	t.Parallel()
	r := newCostly().analyse(t)
	for _, want := range []struct {
		name, part        string
		median, low, high float64
	}{
		{"apiserver.memory.before", "", 300e6, 300e6, 300e6},
		{"apiserver.memory.steady", "", 435e6, 390e6, 480e6},
		{"apiserver.watches", "", 9000, 9000, 9000}, // CONNECT is no watch
		{"apiserver.memory.perWatch", "", 15_000, 10_000, 20_000},
		{"apiserver.heap.perWatch", "", 7_500, 5_000, 10_000},
		{"apiserver.nodes", "", 1000, 1000, 1000},
		{"apiserver.memory.perNode", "", 135_000, 90_000, 180_000},
		{"apiserver.heap.perNode", "", 67_500, 45_000, 90_000},
		{"cpu", "kube-apiserver", 0.5, 0.5, 0.5},
		// 30 intervals of 2 s: 30,000 renewals and 3 × 39 lists.
		{"apiserver.requests", "", 30_117.0 / 60, 30_117.0 / 60, 30_117.0 / 60},
		{"apiserver.cpu.perRequest", "", (30*0.4 + 117*0.05) / 30_117, (30*0.4 + 117*0.05) / 30_117, (30*0.4 + 117*0.05) / 30_117},
		{"apiserver.cpu.perNodeMinute", "", (30*0.4 + 117*0.05) / 1000, (30*0.4 + 117*0.05) / 1000, (30*0.4 + 117*0.05) / 1000},
		{"etcd.objects", "main", 3000, 3000, 3000},
		{"etcd.objects.witness", "main", 1200, 1200, 1200},
		{"etcd.bytes.perObject", "main", 1400, 1400, 1400},                             // (5e6 + 30 × 40e3 − 2e6) / 3000
		{"etcd.writes.perObject", "main", 7000.0 / 3000, 7000.0 / 3000, 7000.0 / 3000}, // (5000 + 30 × 100 − 1000) / 3000
		{"etcd.writes", "main", 50, 50, 50},
		{"etcd.bytes.perWrite", "main", 400, 400, 400},
	} {
		f := figure(t, r, want.name, want.part)
		for _, v := range []struct{ got, want float64 }{{f.Median.Float(), want.median}, {f.Low.Float(), want.low}, {f.High.Float(), want.high}} {
			if !(math.Abs(v.got-v.want) <= 1e-9*v.want) {
				t.Errorf("%s %s: %v (%v to %v), want %v (%v to %v); %s", want.name, want.part, f.Median, f.Low, f.High, want.median, want.low, want.high, f.Why)
				break
			}
		}
		if f.Trials != 2 || f.Why != "" || f.Basis == "" {
			t.Errorf("%s: %d trials, why %q, basis %q", want.name, f.Trials, f.Why, f.Basis)
		}
	}
}

// Lists come in bursts and can be told from the rest; renewals come at a
// steady rate and cannot be told from what runs anyway.
func TestCostOfRequests(t *testing.T) {
	t.Parallel()
	q := newCostly().analyse(t).Costs[0].Requests
	if q.Why != "" || q.Intervals != 60 || q.Residual > 1e-6 || q.Condition < 1e6 || q.LeftOut != "stretches" || len(q.Kinds) != 3 {
		t.Fatalf("%+v", q)
	}
	near := func(n report.Number, v float64) bool { return math.Abs(n.Float()-v) < 1e-6 }
	used := 30*0.4 + 117*0.05
	for _, k := range q.Kinds {
		switch k.What {
		case "LIST pods":
			if k.Together || !near(k.Each, 0.05) || !near(k.Low, 0.05) || !near(k.High, 0.05) || !near(k.Share, 117*0.05/used) || !near(k.Rate, 117.0/60) || k.Loads[0] != "lists" {
				t.Errorf("%+v", k)
			}
		case "PUT leases":
			if !k.Together || k.Each.Is() || k.Low.Is() || !near(k.Share, 30*0.4/used) || !near(k.Rate, 500) || k.Loads[0] != "fleet" {
				t.Errorf("%+v", k)
			}
		case "what runs anyway":
			if !k.Together || k.Each.Is() || !near(k.Share, 30*0.4/used) {
				t.Errorf("%+v", k)
			}
		default:
			t.Errorf("an unexpected kind %+v", k)
		}
	}
}

// What there is no basis for is not measured, and says why.
func TestCostNotMeasured(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, figure, part, why string
		change                  func(*costly)
	}{
		{"an older run", "apiserver.memory.perWatch", "", "no scrape from before the load", func(c *costly) { c.baseline = false }},
		{"an older run", "apiserver.memory.before", "", "no scrape from before the load", func(c *costly) { c.baseline = false }},
		{"an older run", "etcd.bytes.perObject", "main", "no scrape from before the load", func(c *costly) { c.baseline = false }},
		{"few watches", "apiserver.memory.perWatch", "", "30 watches more than without the load", func(c *costly) { c.watches = 30 }},
		{"memory that shrinks", "apiserver.memory.perNode", "", "the memory did not grow", func(c *costly) { c.grown = []float64{-1e6, -1e6} }},
		{"a restart", "apiserver.memory.perWatch", "", "started again", func(c *costly) { c.restart = true }},
		{"a compaction before", "etcd.bytes.perWrite", "main", "compacted after the load had begun", func(c *costly) { c.compact = -1 }},
		{"nearly all of it storm's own", "etcd.bytes.perObject", "main", "1600 of 3000 new objects are storm's own", func(c *costly) { c.witness = 1600 }},
		{"one scrape", "apiserver.cpu.perRequest", "", "no API server was scraped twice", func(c *costly) { c.scrapes = 1 }},
		{"one scrape", "etcd.bytes.perWrite", "main", "no two scrapes", func(c *costly) { c.scrapes = 1 }},
		{"two scrapes", "etcd.bytes.perWrite", "main", "100 writes in the steady phase", func(c *costly) { c.scrapes = 2 }},
		{"no scrape", "apiserver.memory.steady", "", "was not scraped in the steady phase", func(c *costly) { c.scrapes = 0 }},
		{"no API server", "apiserver.memory.perNode", "", "no API server was scraped", func(c *costly) { c.server = "another-0" }},
	} {
		w := newCostly()
		c.change(&w)
		f := figure(t, w.analyse(t), c.figure, c.part)
		if f.Median.Is() || f.Low.Is() || f.Trials != 0 || !strings.Contains(f.Why, c.why) {
			t.Errorf("%s: %s is %v of %d trials, because %q; want %q", c.name, c.figure, f.Median, f.Trials, f.Why, c.why)
		}
	}
	// What does not need the beginning is there without it.
	w := newCostly()
	w.baseline = false
	if f := figure(t, w.analyse(t), "etcd.bytes.perWrite", "main"); f.Median != 400 {
		t.Errorf("%+v", f)
	}
	// Up to the first compaction writes cost what they cost.
	w = newCostly()
	w.compact = 20
	if f := figure(t, w.analyse(t), "etcd.bytes.perWrite", "main"); f.Median != 400 {
		t.Errorf("%+v", f)
	}
	w = newCostly()
	w.scrapes = 8
	q := w.analyse(t).Costs[0].Requests
	if q.Intervals != 14 || !strings.Contains(q.Why, "14 intervals") || q.Residual.Is() || q.Kinds[0].Each.Is() {
		t.Errorf("%+v", q)
	}
}

// Of trials that are not valid nothing is said, and that is said.
func TestCostOfNoValidTrial(t *testing.T) {
	t.Parallel()
	w := newWorld()
	w.change = func(tr *rundir.Trial) { tr.Invalid = []string{"it was not sound"} }
	r, err := report.Analyse(w.write(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Costs) != 2 || len(r.Costs[0].Figures) != 0 || r.Costs[0].Requests.Why != "no trial with a steady phase is valid" {
		t.Errorf("%+v", r.Costs)
	}
}

// A resource of a hostile name stays one resource, and cannot pass for another
// verb or move a terminal's cursor.
func TestCostOfHostileNames(t *testing.T) {
	t.Parallel()
	w := newCostly()
	w.resource = `po"} ds\x1b[2J` + "\x1b[2J\u202e,verb=\"PUT\""
	q := w.analyse(t).Costs[0].Requests
	i := slices.IndexFunc(q.Kinds, func(k report.KindCost) bool { return strings.HasPrefix(k.What, "LIST po\"}") })
	if i < 0 || math.Abs(q.Kinds[i].Each.Float()-0.05) > 1e-6 {
		t.Fatalf("%+v", q.Kinds)
	}
	if strings.ContainsAny(q.Kinds[i].What, "\x1b\u202e") {
		t.Errorf("%q", q.Kinds[i].What)
	}
}

// What each load's requests took is the cost of their kinds times how many of them
// were its own: a list costs 50 ms, whoever asks; what cannot be told apart is not
// charged to anyone.
func TestCostOfLoads(t *testing.T) {
	t.Parallel()
	c := newCostly().analyse(t).Costs[0]
	near := func(n report.Number, v float64) bool { return math.Abs(n.Float()-v) < 1e-6*max(1, v) }
	if len(c.Loads) != 2 || c.Loads[0].Load != "fleet" || c.Loads[1].Load != "lists" {
		t.Fatalf("%+v", c.Loads)
	}
	fleet, lists := c.Loads[0], c.Loads[1]
	// 31 windows of 1,000 renewals in 61 s, of which etcd, whose 50 revisions a second are fewer, has no share.
	if !near(fleet.Requests, 31_000.0/61) || !near(fleet.Writes, 31_000.0/61) || fleet.Written.Is() || fleet.Processors.Is() || fleet.Share.Is() || fleet.Why != "not separable: PUT leases" {
		t.Errorf("%+v", fleet)
	}
	// 31 windows of 10 lists of 50 ms, one window with an answer that is a failure, and one whose failures are none.
	const answered = 310 + 4
	used := (30*0.4 + 117*0.05) / 60 // processors
	if !near(lists.Requests, answered/61.0) || !near(lists.Bytes, 31*2e6/61) || lists.Writes != 0 || lists.Written != 0 || lists.Why != "" {
		t.Errorf("%+v", lists)
	}
	if took := answered * 0.05 / 61; !near(lists.Processors, took) || !near(lists.Low, took) || !near(lists.High, took) || !near(lists.Share, took/used) {
		t.Errorf("%+v, want %v processors", lists, took)
	}
	// Of too little nothing is said, and that is said.
	w := newCostly()
	w.scrapes = 8
	if l := w.analyse(t).Costs[0].Loads[1]; l.Processors.Is() || !strings.Contains(l.Why, "14 intervals") || !l.Requests.Is() {
		t.Errorf("%+v", l)
	}
}
