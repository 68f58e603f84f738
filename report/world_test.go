package report_test

import (
	"fmt"
	"math"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
)

// world writes run directories for the tests, as a run would, from records that
// a formula makes: Analyse is a pure function, and these are its input.
type world struct {
	run rundir.Run
	// recovery is the recovery time of a trial in seconds; +Inf is censored.
	recovery func(p rundir.Planned) float64
	// slow stretches every latency of a trial.
	slow func(p rundir.Planned) float64
	// change alters a trial's record before it is written.
	change func(t *rundir.Trial)
	// rate is the requests a second of each series; 0 leaves no samples.
	rate func(p rundir.Planned, verb string) int
	// errors are the failures in the sixth second of a trial, by code.
	errors map[string]uint64
	// scrape adds what the servers said in a trial.
	scrape func(td *rundir.TrialDir, p rundir.Planned)
	// stop says that a trial was cut off (1) or never started (2).
	stop func(p rundir.Planned) int
}

const second = int64(time.Second)

func ptr(f float64) *float64 { return &f }

// newWorld is a run that passes: six blocks of stock and fast, a leader kill in
// each trial, fast recovering twice as fast.
func newWorld() *world {
	w := &world{run: rundir.Run{
		ID: "run-1", Scenario: "leader-loss", About: "What a lost etcd leader costs, and whether a shorter election timeout buys it back.",
		Storm: "v0.1.0", Command: []string{"/usr/local/bin/storm", "run", "leader-loss"},
		Started: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), Finished: time.Date(2026, 11, 1, 12, 5, 0, 0, time.UTC),
		Outcome: "complete", Seed: 42, Blocks: 6, Provider: "local", Networking: "namespaces",
		Profiles:  []rundir.Profile{{Name: "stock"}, {Name: "fast", Changes: []string{"cluster.etcd.electionTimeout=500ms"}}},
		Host:      rundir.Host{OS: "Debian GNU/Linux 12", Kernel: "6.18.0", CPU: "a processor", Cores: 2, MemoryMB: 24576, FsyncUS: 800, Root: true},
		Limits:    []string{"all members share one disk"},
		Workloads: []rundir.Described{{Name: "churn", Kind: "eventChurn", Text: "creates 60 events a second"}},
		Timeline:  []rundir.Described{{Name: "leaderKill", Kind: "leaderKill", Text: "kills the leader of shard main"}},
	}}
	for b := 1; b <= 6; b++ {
		order := []string{"stock", "fast"}
		if b%2 == 0 {
			order = []string{"fast", "stock"}
		}
		for _, p := range order {
			w.run.Plan = append(w.run.Plan, rundir.Planned{ID: fmt.Sprintf("%03d-b%d-%s", len(w.run.Plan)+1, b, p), Block: b, Profile: p})
		}
	}
	w.run.Gates = []rundir.Gate{
		{Metric: "api.latency", Where: map[string]string{"verb": "mutating", "phase": "steady"}, Stat: "p99", Max: ptr(1)},
		{Metric: "recovery.time", Max: ptr(5)},
		{Metric: "recovery.time", Compare: "stock", Margin: 0.25},
		{Metric: "writes.lost", Max: ptr(0)},
	}
	w.recovery = func(p rundir.Planned) float64 {
		v := 2.2 + 0.2*math.Sin(float64(p.Block))
		if p.Profile == "fast" {
			v = v/2 + 0.03*math.Cos(3*float64(p.Block))
		}
		return v
	}
	w.slow = func(rundir.Planned) float64 { return 1 }
	w.change = func(*rundir.Trial) {}
	w.scrape = func(*rundir.TrialDir, rundir.Planned) {}
	w.rate = func(_ rundir.Planned, verb string) int { return map[string]int{"create": 60, "list": 4}[verb] }
	w.errors = map[string]uint64{"timeout": 3, "500": 1}
	w.stop = func(rundir.Planned) int { return 0 }
	return w
}

// write makes the run directory.
func (w *world) write(t testing.TB) *rundir.Dir {
	t.Helper()
	path := filepath.Join(t.TempDir(), "leader-loss-run")
	d, err := rundir.Create(path, w.run)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.WriteComponents([]rundir.Provenance{
		{Component: "etcd", Version: "v3.6.16", SHA256: "ab", GoVersion: "go1.26.0", Origin: "release", Path: "/cache/etcd"},
		{Component: "kube-apiserver", Version: "v1.36.3", SHA256: "cd", GoVersion: "go1.26.0", Origin: "release", Path: "/cache/kube-apiserver"},
	}); err != nil {
		t.Fatal(err)
	}
	for _, p := range w.run.Plan {
		if w.stop(p) < 2 {
			w.trial(t, d, p)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	opened, err := rundir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

// trial writes one: 1 s of warm-up, 4 s steady, a fault at 5 s that is healed at
// 6 s, recovery until 10 s.
func (w *world) trial(t testing.TB, d *rundir.Dir, p rundir.Planned) {
	t.Helper()
	td, err := d.Trial(p.ID)
	if err != nil {
		t.Fatal(err)
	}
	origin := w.run.Started.Add(time.Duration(len(p.ID)) * time.Minute)
	phases := []rundir.Phase{{Name: "warmup", To: second}, {Name: "steady", From: second, To: 5 * second}, {Name: "fault", From: 5 * second, To: 6 * second}, {Name: "recovery", From: 6 * second, To: 10 * second}}
	last := int64(10)
	if w.stop(p) == 1 {
		last = 6
	}
	td.AppendEvent(rundir.Event{Kind: rundir.EventOrigin, Wall: origin})
	td.AppendEvent(rundir.Event{At: second / 2, Kind: rundir.EventNote, Subject: "main", Text: "etcd-main-0 leads, in term 2"})
	for _, ph := range phases {
		if ph.From < last*second {
			td.AppendEvent(rundir.Event{At: ph.From, Kind: rundir.EventPhaseBegin, Subject: ph.Name})
			if ph.Name == "fault" {
				w.faultEvents(td)
			}
		}
		if ph.To < last*second {
			td.AppendEvent(rundir.Event{At: ph.To, Kind: rundir.EventPhaseEnd, Subject: ph.Name})
		}
	}
	for s := range last {
		w.second(t, td, p, s)
	}
	w.scrape(td, p)
	td.AppendWrite(rundir.Write{Intended: second, Done: second + 1e6, Via: "etcd", Shard: "main", Key: "k1", Revision: 7})
	if w.stop(p) == 1 {
		if err := td.Close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	rto := w.recovery(p)
	rec := rundir.Recovery{Layer: "api", Op: "write", Target: "kube-apiserver-0", Worst: true, Failed: 12, Probes: 100, Longest: int64(rto * 0.9e9), RTO: int64(rto * 1e9), Seen: 5 * second}
	if math.IsInf(rto, 0) {
		rec.RTO, rec.Longest, rec.Censored = 0, 0, true
	}
	trial := rundir.Trial{
		Origin: origin, Duration: 10 * second, Outcome: "done", Phases: phases, Reset: 4 * time.Second, ResetHow: "back at the golden copy",
		Acts: []rundir.Act{{
			Name: "leaderKill", Kind: "leaderKill", Sort: "fault", Shard: "main", Target: "etcd-main-0",
			Intended: 5 * second, Injected: 5*second + 2e6, Proven: 5*second + 9e8, Healing: 6 * second, Healed: 6*second + 8e8,
			Proof: "etcd-main-1 leads shard main", HealedBy: "3 of 3 members healthy", HealSort: "auto",
			Recovery: []rundir.Recovery{rec},
		}},
		Journal: []rundir.Audit{{After: "end", Via: "etcd", Shard: "main", Acked: 200, Found: 200}},
		Health:  rundir.Generator{SendLagP99: 3e5, SendLagMax: 2e6, RunQueueP99: 4e6, GCPauseMax: 1e6, Files: 70, FileLimit: 1 << 20, Intended: 640},
	}
	w.change(&trial)
	if err := td.Finish(trial); err != nil {
		t.Fatal(err)
	}
}

func (w *world) faultEvents(td *rundir.TrialDir) {
	data := map[string]string{"kind": "leaderKill", "sort": "fault"}
	td.AppendEvent(rundir.Event{At: 5 * second, Kind: rundir.EventActIntended, Subject: "leaderKill", Text: "kills the leader of shard main", Data: data})
	td.AppendEvent(rundir.Event{At: 5*second + 2e6, Kind: rundir.EventActInjected, Subject: "leaderKill", Text: "etcd-main-0", Data: data})
	td.AppendEvent(rundir.Event{At: 5*second + 9e8, Kind: rundir.EventLeaderChange, Subject: "main", Text: "etcd-main-0 → etcd-main-1"})
}

// second writes what one second of a trial left.
func (w *world) second(t testing.TB, td *rundir.TrialDir, p rundir.Planned, s int64) {
	t.Helper()
	for _, k := range []rundir.Key{
		{Workload: "churn", Verb: "create", Resource: "events", Scope: "resource"},
		{Workload: "lists", Verb: "list", Resource: "pods", Scope: "cluster", Detail: "unpaginated"},
		{Workload: "probe", Verb: "get", Resource: "configmaps", Scope: "resource"},
	} {
		n := w.rate(p, k.Verb)
		if n == 0 {
			continue
		}
		text := latencies(t, n, w.slow(p)*(1+0.05*math.Sin(float64(int64(p.Block)*31+s))))
		win := rundir.Window{Key: k, From: s * second, To: (s + 1) * second, OK: uint64(n), Hist: text, Bytes: uint64(900 * n), LagMax: 3e5}
		if k.Verb == "list" { // compressed
			win.Inflated = int64(2700 * n)
		}
		if s == 5 {
			win.Errors = w.errors
			if k.Verb == "create" && p.Block == 1 {
				win.Again = map[string]uint64{"goaway": 3}
			}
		}
		td.AppendWindow(win)
	}
	for i, c := range []string{"etcd-main-0", "kube-apiserver-0", "storm"} {
		td.AppendProcess(rundir.Process{At: s * second, Component: c, PID: 100 + i, UserNS: s * int64(2e8+1e7*float64(p.Block)), RSS: int64(40+i*100)<<20 + s<<16})
	}
	td.AppendScrape(rundir.Scrape{At: s * second, Component: "etcd-main-0", Samples: map[string]float64{"etcd_mvcc_db_total_size_in_bytes": float64(2<<20 + s<<12)}})
}

var encoded sync.Map // by n and scale: encoding is what costs the time

// latencies is the histogram of n latencies around 4 ms times scale.
func latencies(t testing.TB, n int, scale float64) string {
	t.Helper()
	key := fmt.Sprint(n, scale)
	if text, ok := encoded.Load(key); ok {
		return text.(string)
	}
	h := rundir.NewHist()
	for i := range n {
		q := (float64(i) + 0.5) / float64(n)
		// As the recorder does, beyond the range at its end.
		if err := h.RecordValue(min(rundir.HistHighest, int64(4000*scale*math.Exp(0.5*math.Log(q/(1-q)))))); err != nil {
			t.Fatal(err)
		}
	}
	text, err := rundir.EncodeHist(h)
	if err != nil {
		t.Fatal(err)
	}
	encoded.Store(key, text)
	return text
}
