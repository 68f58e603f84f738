package render

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// quickstart is a Result as a run of the scenario quickstart gives it: two
// profiles in six blocks, of whose trials all are valid (of troubled not), and a tour. The
// numbers come from a seed, so that every run of the tests draws the same page.
func quickstart() *report.Result {
	rnd := rand.New(rand.NewPCG(7, 11))
	noise := func(sd float64) float64 { return math.Exp(sd * rnd.NormFloat64()) }
	started := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)
	r := &report.Result{
		Schema: report.SchemaVersion, Verdict: report.Improved,
		Headline: []string{
			"Better: fast-election recovers 1.94× faster than stock (96.9 % interval 1.71–2.2×; 6 blocks).",
			"Of 9 gates: 1 improved, 8 pass.",
			"storm ran quickstart with the profiles stock and fast-election, in 6 blocks of random order, and one tour; 13 of 13 trials are valid.",
		},
		Run: report.Run{
			ID: "20261101-120000-quickstart-5f1c", Dir: "20261101-120000-quickstart-5f1c", Scenario: "quickstart", Storm: "v0.1.0",
			About:   "What a lost etcd leader costs a small cluster under load, and whether a shorter election timeout buys it back; then a full database, its repair, a backup and a restore.",
			Command: []string{"storm", "run", "quickstart"}, Repeat: "storm run quickstart --seed=42", Seed: 42, Blocks: 6,
			Started: started, Finished: started.Add(372 * time.Second), Outcome: "complete", Complete: true,
			Planned: 13, Valid: 13, ShortSteady: true,
		},
		Provider: "local", Networking: "namespaces",
		Host:   rundir.Host{OS: "Debian GNU/Linux 12 (bookworm)", Kernel: "6.18.5", CPU: "AMD EPYC 7B13", Cores: 2, MemoryMB: 24032, FsyncUS: 812, Root: true, RealTime: true},
		Limits: []string{"All etcd members share one disk and 2 cores with the load, so a comparison of 3 against 5 members, or of shards, would understate what separate machines gain.", "The steady phase is shorter than the 5 minutes over which Kubernetes defines its latency SLOs."},
		Workloads: []rundir.Described{
			{Name: "fleet", Kind: "nodes", Text: "Simulates 200 nodes: each renews a lease every 10s, reports its status, watches its pods and sets them running."},
			{Name: "churn", Kind: "eventChurn", Text: "Writes Events 100 times a second in one namespace; 30% of the writes count an earlier event up."},
			{Name: "lists", Kind: "list", Text: "Lists all pods 2 times a second in all namespaces, in one answer, from the newest state."},
			{Name: "rollouts", Kind: "deployments", Text: "Rolls a deployment of 10 replicas every 5s, so that the controllers and the scheduler work."},
		},
		Timeline: []rundir.Described{
			{Name: "warmup", Kind: "warmup", Text: "warmup for 2s"}, {Name: "steady", Kind: "steady", Text: "steady for 6s"},
			{Name: "leaderKill", Kind: "leaderKill", Text: "kill the etcd leader of shard main (SIGKILL) and keep it down, for 3s"},
			{Name: "recovery", Kind: "recovery", Text: "wait until everything serves again, 20s at most"},
			{Name: "quotaBreach", Kind: "quotaBreach", Text: "tour repair: fill shard main through the apiserver until etcd raises NOSPACE and refuses writes"},
			{Name: "compact", Kind: "compact", Text: "tour repair: compact the history of shard main up to its present revision"},
			{Name: "defrag", Kind: "defrag", Text: "tour repair: defragment the members of shard main, one after the other, the leader last"},
			{Name: "disarm", Kind: "disarm", Text: "tour repair: disarm the alarms of shard main"},
			{Name: "backup", Kind: "backup", Text: "tour repair: save and verify a snapshot of shard all, bundled with certificates and keys"},
			{Name: "restore", Kind: "restore", Text: "tour repair: restore all members of every shard from the snapshot of the backup, then start the apiservers again"},
		},
		Warnings: []string{"kube-apiserver was built with go1.26.0, etcd with go1.25.4: profiles share both, so the comparison is not touched."},
		Method: report.Method{Confidence: 0.95, Alpha: 0.05, Family: 1, MinBlocks: 6, Text: []string{
			"The trial is the unit: each gives one value of a metric. Profiles are compared within blocks, which hold every profile once in random order, by the logarithm of the ratio.",
			"The ratio is the Hodges-Lehmann estimate, its interval lies between two Walsh averages and is exact.",
		}},
	}
	for _, c := range []struct{ name, version string }{{"etcd", "v3.6.16"}, {"etcdctl", "v3.6.16"}, {"etcdutl", "v3.6.16"}, {"kube-apiserver", "v1.36.3"}, {"kube-controller-manager", "v1.36.3"}, {"kube-scheduler", "v1.36.3"}} {
		r.Provenance = append(r.Provenance, rundir.Provenance{Component: c.name, Version: c.version, SHA256: fmt.Sprintf("%064x", 0x9e3779b97f4a7c15*uint64(len(c.name)+3)), GoVersion: "go1.26.0", Origin: "module build", Path: "/cache/" + c.name})
	}
	shards := []rundir.ShardSummary{{Name: "main", Members: 3, Version: "v3.6.16"}, {Name: "events", Members: 1, Resources: []string{"/events"}, Version: "v3.6.16"}}
	parts := map[string]int{"kube-apiserver": 1, "kube-controller-manager": 1, "kube-scheduler": 1}
	versions := map[string]string{"etcd": "v3.6.16", "kube-apiserver": "v1.36.3", "kube-controller-manager": "v1.36.3", "kube-scheduler": "v1.36.3"}
	r.Profiles = []report.Profile{
		{Name: "stock", Changes: []string{}, Base: true, Shards: shards, Parts: parts, Planned: 6, Valid: 6, Versions: versions},
		{Name: "fast-election", About: "a heartbeat of 50ms and an election timeout of 500ms", Changes: []string{"cluster.etcd.heartbeatInterval=50ms", "cluster.etcd.electionTimeout=500ms"}, Shards: shards, Parts: parts, Planned: 6, Valid: 6, Versions: versions},
	}
	blockTrials(r, noise, started)
	tourTrial(r, started.Add(310*time.Second))
	comparisonsAndGates(r)
	latencyAndErrors(r)
	costsOf(r)
	r.Charts = []report.ChartGroup{blockCharts(r, noise), tourCharts(noise)}
	serversSaid(r)
	return r
}

// speed is a profile's recovery time, seconds.
var speed = map[string]float64{"stock": 2.05, "fast-election": 1.06}

func blockTrials(r *report.Result, noise func(float64) float64, started time.Time) {
	type kind struct {
		layer, op, shard string
		share            float64
	}
	kinds := []kind{{"api", "read", "", 0.52}, {"api", "write", "", 1}, {"etcd", "read", "main", 0.88}, {"etcd", "write", "main", 0.93}, {"etcd", "write", "events", 0}}
	groups := map[string]*report.RecoveryGroup{}
	for b := 1; b <= 6; b++ {
		order := []string{"stock", "fast-election"}
		if b%2 == 0 || b == 5 {
			slices.Reverse(order)
		}
		drift := noise(0.08)
		for _, p := range order {
			n := len(r.Trials) + 1
			id := fmt.Sprintf("%03d-b%d-%s", n, b, p)
			base := speed[p] * drift * noise(0.09)
			act := report.Act{
				Trial: id, Profile: p, Name: "leaderKill", Kind: "leaderKill", Sort: "fault", Shard: "main", Target: "etcd-main-0",
				About:    "kill the etcd leader of shard main (SIGKILL) and keep it down",
				Intended: 8, Injected: 8.004, Proven: report.Number(8 + base*0.8), Healing: 11, Healed: report.Number(11.9 * noise(0.01)),
				Proof: "etcd-main-2 leads shard main in term 4, etcd-main-0 does not run", HealedBy: "3 of 3 members answer a linearizable read", HealSort: "auto",
			}
			for _, k := range kinds {
				rto, failed := base*k.share, int(base*k.share*18)
				if k.share == 0 {
					rto = 0.004
				}
				key := p + k.layer + k.op + k.shard
				if groups[key] == nil {
					groups[key] = &report.RecoveryGroup{Profile: p, Act: "leaderKill", Sort: "fault", Layer: k.layer, Op: k.op, Shard: k.shard}
				}
				groups[key].Points = append(groups[key].Points, report.RecoveryPoint{Trial: id, Block: b, Target: "kube-apiserver-0", RTO: report.Number(rto), Gap: report.Number(rto * 1.04), Failed: failed, Seen: 7, Valid: true})
				act.Recovery = append(act.Recovery, report.Recovered{Layer: k.layer, Op: k.op, Shard: k.shard, Worst: true, RTO: report.Number(rto), Failed: failed, Probes: 300, Seen: 7})
			}
			r.Trials = append(r.Trials, report.Trial{
				ID: id, Order: n, Block: b, Profile: p, State: report.TrialValid, Origin: started.Add(time.Duration(n) * 24 * time.Second), Duration: report.Number(15.2 * noise(0.01)), Reset: report.Number(5.1 * noise(0.03)), ResetHow: "back at the golden copy",
				Phases:   []report.Span{{Name: "warmup", From: 0, To: 2}, {Name: "steady", From: 2, To: 8}, {Name: "fault", From: 8, To: 11}, {Name: "recovery", From: 11, To: 15}},
				Acts:     []report.Act{act},
				Events:   []report.Moment{{At: 8 + base*0.8, Kind: rundir.EventLeaderChange, Subject: "main", Text: "etcd-main-0 → etcd-main-2"}},
				Requests: uint64(2100 * noise(0.01)), Failed: uint64(base * 40), Leaders: 1,
				Load: report.Load{SendLagP99: report.Number(0.00031 * noise(0.2)), SendLagMax: 0.0042, RunQueueP99: 0.03, GCPauseMax: 0.0021, Files: 71, FileLimit: 1_048_576, Intended: 2140},
			})
			for _, via := range []string{"api", "etcd"} {
				r.Audits = append(r.Audits, report.Audit{Trial: id, Profile: p, Block: b, Valid: true, Audit: rundir.Audit{After: "end", Via: via, Shard: "main", Acked: 512, Found: 512, Unknown: 3}})
			}
		}
	}
	for _, p := range []string{"stock", "fast-election"} {
		r.RPO = append(r.RPO, report.RPO{
			Profile: p, Trials: 6, Acked: 6144, AtMost: 0.393, Confidence: 0.95,
			Text: p + ": none of 6,144 acknowledged writes was lost in 6 trials; with 95 % confidence, at most 39.3 % of such trials lose any",
		})
		for _, k := range kinds {
			g := groups[p+k.layer+k.op+k.shard]
			var v []float64
			for _, pt := range g.Points {
				v = append(v, pt.RTO.Float())
			}
			slices.Sort(v)
			g.Trials, g.Median, g.Best, g.Worst = 6, report.Number((v[2]+v[3])/2), report.Number(v[0]), report.Number(v[5])
			g.Gap = g.Median * 1.04
			r.Recovery = append(r.Recovery, *g)
		}
	}
}

func comparisonsAndGates(r *report.Result) {
	compare := func(group, title, metric, unit string, lower bool, base, profile, spread float64, text string) report.Comparison {
		c := report.Comparison{
			Title: title, Group: group, Metric: metric, Unit: unit, Lower: lower, Base: "stock", Profile: "fast-election",
			BaseMedian: report.Number(base), ProfileMedian: report.Number(profile), Planned: 6, Used: 6,
			Ratio: report.Number(profile / base), Low: report.Number(profile / base / spread), High: report.Number(profile / base * spread),
			Confidence: 0.96875, P: 0.03125, PMargin: 1, PHolm: 1, PFlip: 0.03125, SmallestP: 0.03125, Text: text,
		}
		if c.Low <= 1 && c.High >= 1 {
			c.P, c.PFlip = 0.6875, 0.59375 // as an interval over 1 has it
		}
		for b := range 6 {
			f := math.Pow(spread, []float64{-0.9, 0.4, 1.1, -0.3, 0.1, 0.7}[b])
			c.Pairs = append(c.Pairs, report.Pair{Block: b + 1, Base: report.Number(base), Profile: report.Number(profile * f), Ratio: report.Number(profile / base * f)})
		}
		return c
	}
	judged := compare("", "recovery", "recovery.time", "seconds", true, 2.06, 1.06, 1.13, "1.94× faster (96.9 % interval 1.71–2.2×)")
	judged.Margin = 0.25
	r.Comparisons = []report.Comparison{
		compare("recovery", "recovery of api writes after leaderKill", "recovery.time", "seconds", true, 2.06, 1.06, 1.13, "1.94× faster (96.9 % interval 1.71–2.2×)"),
		compare("recovery", "recovery of etcd main writes after leaderKill", "recovery.time", "seconds", true, 1.91, 0.98, 1.16, "1.95× faster (96.9 % interval 1.68–2.26×)"),
		compare("latency", "p50 latency of mutating requests in the steady phase", "api.latency", "seconds", true, 0.0061, 0.0062, 1.04, "no difference found (ratio 1.02, 96.9 % interval 0.977–1.06)"),
		compare("latency", "p99 latency of mutating requests in the steady phase", "api.latency", "seconds", true, 0.0442, 0.0461, 1.11, "no difference found (ratio 1.04, 96.9 % interval 0.94–1.16)"),
		compare("load", "throughput in the steady phase", "api.throughput", "per second", false, 146, 145.6, 1.01, "no difference found (ratio 0.997, 96.9 % interval 0.987–1.01)"),
		compare("server", "processor time of etcd-main", "process.cpu", "seconds", true, 2.1, 2.31, 1.04, "10 % higher (96.9 % interval 5.8–14.4 %)"),
		compare("server", "memory of kube-apiserver", "process.memory", "bytes", true, 318<<20, 321<<20, 1.02, "no difference found (ratio 1.01, 96.9 % interval 0.99–1.03)"),
	}
	fail := r.Comparisons[3]
	fail.Title, fail.Metric, fail.Unit, fail.BaseMedian, fail.ProfileMedian = "the share of failures in the fault phase", "api.errors", "fraction", 0.041, 0.018
	fail.Ratio, fail.Low, fail.High, fail.Confidence, fail.Text = 0.44, report.Missing(), report.Missing(), 0, "2.28× lower by the estimate of 4 blocks"
	fail.Used, fail.Note = 4, []string{"2 blocks are not used: a share of 0 has no ratio"}
	fail.Pairs = fail.Pairs[:4]
	for i := range fail.Pairs {
		fail.Pairs[i].Ratio *= 0.42
	}
	r.Comparisons = append(r.Comparisons, fail)
	limit := func(v float64) *float64 { return &v }
	both := func(a, b float64, unit, reason string) []report.Judged {
		return []report.Judged{
			{Profile: "stock", Verdict: report.Pass, Value: report.Number(a), Reason: report.Format(report.Number(a), unit) + ", " + reason},
			{Profile: "fast-election", Verdict: report.Pass, Value: report.Number(b), Reason: report.Format(report.Number(b), unit) + ", " + reason},
		}
	}
	one := func(a float64, unit, reason string) []report.Judged {
		return []report.Judged{{Profile: "stock", Verdict: report.Pass, Value: report.Number(a), Reason: report.Format(report.Number(a), unit) + reason}}
	}
	slo := "a few seconds of it; not the 5-minute SLO"
	r.Gates = []report.Gate{
		{Gate: rundir.Gate{Metric: "api.latency", Where: map[string]string{"verb": "mutating", "phase": "steady"}, Stat: "p99", Max: limit(1), Note: slo}, Title: "api.latency p99 (verb mutating, phase steady) ≤ 1 s", Unit: "seconds", Lower: true, Verdict: report.Pass, Results: both(0.0442, 0.0461, "seconds", "the median of 6 trials (worst 51.2 ms in 003-b2-fast-election)")},
		{Gate: rundir.Gate{Metric: "api.latency", Where: map[string]string{"verb": "read", "scope": "cluster", "phase": "steady"}, Stat: "p99", Max: limit(30)}, Title: "api.latency p99 (verb read, scope cluster, phase steady) ≤ 30 s", Unit: "seconds", Lower: true, Verdict: report.Pass, Results: both(0.0911, 0.0938, "seconds", "the median of 6 trials (worst 112 ms in 009-b5-fast-election)")},
		{Gate: rundir.Gate{Metric: "api.errors", Where: map[string]string{"phase": "steady"}, Max: limit(0.01)}, Title: "api.errors (phase steady) ≤ 1 %", Unit: "fraction", Lower: true, Verdict: report.Pass, Results: both(0, 0, "fraction", "the worst of 6 trials (012-b6-fast-election)")},
		{Gate: rundir.Gate{Metric: "recovery.time", Max: limit(10)}, Title: "recovery.time ≤ 10 s", Unit: "seconds", Lower: true, Verdict: report.Pass, Results: both(2.38, 1.22, "seconds", "the worst of 6 trials (004-b2-stock)")},
		{Gate: rundir.Gate{Metric: "recovery.time", Compare: "stock", Margin: 0.25}, Title: "recovery.time against stock, margin 25 %", Unit: "seconds", Lower: true, Verdict: report.Improved, Results: []report.Judged{{Profile: "fast-election", Verdict: report.Improved, Value: judged.Ratio, Reason: judged.Text, Comparison: &judged}}},
		{Gate: rundir.Gate{Metric: "writes.lost", Max: limit(0)}, Title: "writes.lost ≤ 0", Unit: "count", Lower: true, Verdict: report.Pass, Results: both(0, 0, "count", "the worst of 6 trials (012-b6-fast-election)")},
		{Gate: rundir.Gate{Metric: "recovery.time", Where: map[string]string{"act": "quotaBreach"}, Max: limit(60), Tour: "repair"}, Title: "recovery.time (act quotaBreach) ≤ 1 min in tour repair", Unit: "seconds", Lower: true, Verdict: report.Pass, Results: one(4.31, "seconds", " in 013-tour-repair")},
		{Gate: rundir.Gate{Metric: "recovery.time", Where: map[string]string{"act": "restore"}, Max: limit(60), Tour: "repair"}, Title: "recovery.time (act restore) ≤ 1 min in tour repair", Unit: "seconds", Lower: true, Verdict: report.Pass, Results: one(7.83, "seconds", " in 013-tour-repair")},
		{Gate: rundir.Gate{Metric: "restore.mismatch", Max: limit(0), Tour: "repair", Note: "the restore takes back exactly what was written after the snapshot"}, Title: "restore.mismatch ≤ 0 in tour repair", Unit: "count", Lower: true, Verdict: report.Pass, Results: one(0, "count", " in 013-tour-repair")},
	}
}
