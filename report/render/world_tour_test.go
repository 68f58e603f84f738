package render

import (
	"fmt"
	"math"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

func tourTrial(r *report.Result, origin time.Time) {
	const id = "013-tour-repair"
	rec := func(layer, op, shard string, rto float64, failed int) report.Recovered {
		return report.Recovered{Layer: layer, Op: op, Shard: shard, Target: "kube-apiserver-0", Worst: true, RTO: report.Number(rto), Gap: report.Number(rto), Failed: failed, Probes: 420, Seen: 40}
	}
	op := func(name string, at, proven float64, about, proof string, facts map[string]float64) report.Act {
		return report.Act{Trial: id, Profile: "stock", Name: name, Kind: name, Sort: "operation", Shard: "main", Target: "shard main", Intended: report.Number(at), Injected: report.Number(proven), Proven: report.Number(proven), Healing: report.Number(proven), Healed: report.Number(proven + 0.05), About: about, Proof: proof, Facts: facts}
	}
	breach := op("quotaBreach", 2, 4.6, "fill shard main through the apiserver until etcd raises NOSPACE and refuses writes", "after 67.2 MiB in 2.4s the alarm list has NOSPACE, and the apiserver's writes are refused: database space exceeded", map[string]float64{"writtenBytes": 70464307, "fillSeconds": 2.41, "refusedWrites": 31})
	breach.Sort, breach.HealSort, breach.Healed, breach.HealedBy = "fault", "timeline", 6.31, "the alarm list is empty and a write through the apiserver succeeds"
	breach.Recovery = []report.Recovered{rec("api", "write", "", 4.31, 71), rec("api", "read", "", 0.006, 0), rec("etcd", "write", "main", 4.22, 402), rec("etcd", "read", "main", 0.004, 0)}
	backup := op("backup", 8.1, 9.3, "save and verify a snapshot of shard all, bundled with certificates and keys", "verified events: revision 10482, 9811 keys, 12.4 MiB, hash 9c1fe0aa; main: revision 15220, 3120 keys, 68.1 MiB, hash 1b7c88e2; with 14 certificates and keys", map[string]float64{"revision.main": 15220, "keys.main": 3120, "bytes.main": 71408026, "revision.events": 10482, "keys.events": 9811, "bytes.events": 13002342})
	restore := op("restore", 12.4, 19.8, "restore all members of every shard from the snapshot of the backup (the revision bumped above everything seen and marked compacted), then start the apiservers again", `events went back to revision 10482, counted from 1010482 on; main went back to revision 15220, counted from 1015220 on; revision 15811, which clients had seen, is answered with "compacted"`, map[string]float64{"seconds.stop": 0.41, "seconds.restore": 0.72, "seconds.etcd": 1.31, "seconds.apiserver": 4.6})
	restore.Recovery = []report.Recovered{rec("api", "write", "", 7.83, 141), rec("api", "read", "", 7.71, 139), rec("etcd", "write", "main", 2.61, 240), rec("etcd", "read", "main", 2.58, 238)}
	acts := []report.Act{
		breach,
		op("compact", 4.7, 5.12, "compact the history of shard main up to its present revision", `a read of an older revision is answered with "compacted" (main at revision 15102)`, map[string]float64{"revision.main": 15102}),
		op("defrag", 5.2, 5.94, "defragment the members of shard main, one after the other, the leader last", "etcd-main-0: 66.8 MiB → 1.9 MiB in 0.11s; etcd-main-2: 66.8 MiB → 1.9 MiB in 0.12s; etcd-main-1: 66.8 MiB → 1.9 MiB in 0.1s", map[string]float64{"beforeBytes.etcd-main-0": 70044876, "afterBytes.etcd-main-0": 1992294, "seconds.etcd-main-0": 0.11}),
		op("disarm", 6.0, 6.09, "disarm the alarms of shard main", "the alarm list of shard main is empty", nil),
		backup, restore,
	}
	r.Trials = append(r.Trials, report.Trial{
		ID: id, Order: 13, Profile: "stock", Tour: "repair", State: report.TrialValid, Origin: origin, Duration: 26.4, Reset: 5.3,
		Phases:   []report.Span{{Name: "warmup", From: 0, To: 2}, {Name: "fault", From: 2, To: 4.7}, {Name: "operation", From: 4.7, To: 6.1}, {Name: "recovery", From: 6.1, To: 8.1}, {Name: "operation", From: 8.1, To: 9.4}, {Name: "steady", From: 9.4, To: 12.4}, {Name: "operation", From: 12.4, To: 19.9}, {Name: "recovery", From: 19.9, To: 26.4}},
		Acts:     acts,
		Events:   []report.Moment{{At: 4.5, Kind: rundir.EventAlarm, Subject: "main", Text: "NOSPACE raised"}, {At: 6.07, Kind: rundir.EventAlarm, Subject: "main", Text: "NOSPACE cleared"}, {At: 14.9, Kind: rundir.EventLeaderChange, Subject: "main", Text: "etcd-main-1 → etcd-main-0"}},
		Requests: 3312, Failed: 702, Leaders: 1, Warnings: []string{"the events shard had no leader for 1.4 s"},
		Load: report.Load{SendLagP99: 0.0004, SendLagMax: 0.006, RunQueueP99: 0.05, GCPauseMax: 0.0004, Files: 70, Intended: 3400},
	})
	for _, a := range []rundir.Audit{
		{After: "quotaBreach", Via: "api", Shard: "main", Acked: 212, Found: 212, Unknown: 0},
		{After: "quotaBreach", Via: "etcd", Shard: "main", Acked: 208, Found: 208, Unknown: 2},
		{After: "restore", Via: "api", Shard: "main", Acked: 388, Found: 304, Restored: 84, Unknown: 1},
		{After: "restore", Via: "etcd", Shard: "main", Acked: 391, Found: 306, Restored: 85, Unknown: 3},
		{After: "end", Via: "api", Shard: "main", Acked: 598, Found: 514, Restored: 84, Unknown: 1},
		{After: "end", Via: "etcd", Shard: "main", Acked: 604, Found: 519, Restored: 85, Unknown: 3},
	} {
		r.Audits = append(r.Audits, report.Audit{Trial: id, Profile: "stock", Tour: "repair", Valid: true, Audit: a})
	}
	for _, a := range []report.Act{breach, restore} {
		for _, x := range a.Recovery {
			r.Recovery = append(r.Recovery, report.RecoveryGroup{Profile: "stock", Tour: "repair", Act: a.Name, Sort: a.Sort, Layer: x.Layer, Op: x.Op, Shard: x.Shard, Trials: 1, Median: x.RTO, Best: x.RTO, Worst: x.RTO, Gap: x.Gap,
				Points: []report.RecoveryPoint{{Trial: id, Target: x.Target, RTO: x.RTO, Gap: x.Gap, Failed: x.Failed, Seen: x.Seen, Valid: true}}})
		}
	}
}

func latencyAndErrors(r *report.Result) {
	for _, p := range []string{"stock", "fast-election"} {
		for _, phase := range []string{"steady", "fault", "recovery"} {
			slow := map[string]float64{"steady": 1, "fault": 9, "recovery": 1.4}[phase]
			r.Latency = append(r.Latency,
				report.Latency{Profile: p, Phase: phase, Workload: "churn", Verb: "create", Resource: "events", Scope: "resource", Via: "api", Trials: 6, Requests: 3600, Failed: uint64(slow * 3), Rate: 99.8, Received: 88_200, Decoded: 88_200, P50: report.Number(0.0061 * slow), P90: report.Number(0.018 * slow), P99: report.Number(0.044 * slow), P999: report.Missing(), Max: report.Number(0.12 * slow), P99Low: report.Number(0.039 * slow), P99High: report.Number(0.052 * slow), P99Confidence: 0.969},
				report.Latency{Profile: p, Phase: phase, Workload: "lists", Verb: "list", Resource: "pods", Scope: "cluster", Detail: "unpaginated", Via: "api", Trials: 6, Requests: 72, Rate: 2, Received: 412_000, Decoded: 3_140_000, P50: report.Number(0.031 * slow), P90: report.Number(0.061 * slow), P99: report.Missing(), P999: report.Missing(), Max: report.Number(0.11 * slow), P99Low: report.Missing(), P99High: report.Missing(), P99Needs: "≥ 100 requests a trial"})
		}
		r.Errors = append(r.Errors,
			report.ErrorCount{Profile: p, Workload: "churn", Verb: "create", Resource: "events", Phase: "fault", Code: "timeout", Count: 212, Trials: 6},
			report.ErrorCount{Profile: p, Workload: "churn", Verb: "create", Resource: "events", Phase: "fault", Code: "goaway", Again: true, Count: 71, Trials: 6},
			report.ErrorCount{Profile: p, Workload: "fleet", Verb: "update", Resource: "leases", Phase: "fault", Code: "500", Count: 58, Trials: 5})
		for _, group := range []string{"mutating", "reading"} {
			c := report.Curve{Profile: p, Group: group, Requests: 12000}
			for _, q := range []float64{0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999} {
				c.Q = append(c.Q, q)
				c.Seconds = append(c.Seconds, report.Number(0.004*math.Pow(1-q, -0.62)*map[string]float64{"stock": 1.25, "fast-election": 1}[p]))
			}
			c.Quantiles = []report.Quantile{
				{Q: 0.5, Seconds: 0.006, Worth: 2400, Low: 0.0058, High: 0.0063, Confidence: 0.951},
				{Q: 0.99, Seconds: 0.07, Worth: 640, Low: 0.061, High: 0.09, Confidence: 0.954},
				{Q: 0.999, Seconds: 0.29, Worth: 310, Low: report.Missing(), High: report.Missing(), Needs: "≥ 3,688 independent requests"},
			}
			r.Curves = append(r.Curves, c)
		}
	}
}

// chartTime has one point a second.
func chartTime(from, to float64) (t []float64) {
	for s := from + 0.5; s < to; s++ {
		t = append(t, s)
	}
	return t
}

func blockCharts(r *report.Result, noise func(float64) float64) report.ChartGroup {
	g := report.ChartGroup{
		Title: "The trials of all blocks (12)", Zero: "the intended instant of the first fault or operation", From: -8, To: 7,
		Bands: []report.Band{{Name: "warmup", Sort: "phase", From: -8, To: -6}, {Name: "steady", Sort: "phase", From: -6, To: 0}, {Name: "fault", Sort: "phase", From: 0, To: 3}, {Name: "leaderKill", Sort: "fault", From: 0, To: 3.9}, {Name: "recovery", Sort: "phase", From: 3, To: 7}},
	}
	for _, t := range r.Trials {
		for _, e := range t.Events {
			if t.Tour == "" {
				g.Marks = append(g.Marks, report.Mark{Moment: report.Moment{At: e.At - 8, Kind: e.Kind, Subject: e.Subject, Text: e.Text}, Trial: t.ID, Profile: t.Profile})
			}
		}
	}
	t := chartTime(-8, 7)
	add := func(name, title, unit string, log bool, parts []string, value func(profile, part string, at float64) float64) {
		c := report.Chart{Name: name, Title: title, Unit: unit, Log: log}
		for _, p := range []string{"stock", "fast-election"} {
			for _, part := range parts {
				var median []report.Number
				for _, at := range t {
					median = append(median, report.Number(value(p, part, at)))
				}
				for _, trial := range r.Trials {
					if trial.Profile != p || trial.Tour != "" {
						continue
					}
					l := report.Line{Profile: p, Trial: trial.ID, Part: part, Valid: true, T: t}
					k := noise(0.06)
					for _, v := range median {
						l.V = append(l.V, report.Number(v.Float()*k*noise(0.12)))
					}
					c.Lines = append(c.Lines, l)
				}
				c.Lines = append(c.Lines, report.Line{Profile: p, Part: part, Median: true, Valid: true, T: t, V: median})
			}
		}
		g.Chart = append(g.Chart, c)
	}
	down := func(p string, at, high, low float64) float64 {
		if at > 0 && at < speed[p]*1.05 {
			return high
		}
		return low
	}
	none := []string{""}
	add("latency.p50.mutating", "Median latency of mutating requests", "seconds", true, none, func(p, _ string, at float64) float64 { return down(p, at, 0.4, 0.006) })
	add("latency.p99.mutating", "p99 latency of mutating requests", "seconds", true, none, func(p, _ string, at float64) float64 { return down(p, at, speed[p]*0.9, 0.044) })
	add("latency.p50.reading", "Median latency of reading requests", "seconds", true, none, func(p, _ string, at float64) float64 { return down(p, at, 0.06, 0.012) })
	add("latency.p99.reading", "p99 latency of reading requests", "seconds", true, none, func(p, _ string, at float64) float64 { return down(p, at, speed[p]*0.7, 0.09) })
	add("throughput", "Requests that succeeded, a second", "per second", false, none, func(p, _ string, at float64) float64 { return down(p, at, 44, 146) })
	add("errors", "Requests that failed, a second", "per second", false, none, func(p, _ string, at float64) float64 { return down(p, at, 38, 0) })
	all := []string{"etcd-main-0", "etcd-main-1", "etcd-main-2", "etcd-events-0", "kube-apiserver-0", "kube-controller-manager-0", "kube-scheduler-0", "storm"}
	size := map[string]float64{"etcd-main-0": 62, "etcd-main-1": 58, "etcd-main-2": 60, "etcd-events-0": 49, "kube-apiserver-0": 318, "kube-controller-manager-0": 96, "kube-scheduler-0": 71, "storm": 88}
	add("memory", "Resident memory", "bytes", false, all, func(_, part string, at float64) float64 {
		if part == "etcd-main-0" && at > 0 && at < 3 {
			return math.NaN()
		}
		return size[part] * (1 + at/90) * (1 << 20)
	})
	add("cpu", "Processors in use", "count", false, all, func(_, part string, _ float64) float64 { return size[part] / 900 })
	add("etcd.dbsize", "Size of etcd's database file", "bytes", false, all[:4], func(_, part string, at float64) float64 {
		return (2 + (at+8)/12 + size[part]/100) * (1 << 20)
	})
	return g
}

func tourCharts(noise func(float64) float64) report.ChartGroup {
	g := report.ChartGroup{
		Title: "Tour repair", Tour: "repair", Zero: "the intended instant of the first fault or operation", From: -2, To: 24.4,
		Bands: []report.Band{
			{Name: "warmup", Sort: "phase", From: -2, To: 0}, {Name: "fault", Sort: "phase", From: 0, To: 2.7}, {Name: "quotaBreach", Sort: "fault", From: 0, To: 4.31},
			{Name: "operation", Sort: "phase", From: 2.7, To: 4.1}, {Name: "compact", Sort: "operation", From: 2.7, To: 3.12}, {Name: "defrag", Sort: "operation", From: 3.2, To: 3.94}, {Name: "disarm", Sort: "operation", From: 4.0, To: 4.09},
			{Name: "recovery", Sort: "phase", From: 4.1, To: 6.1}, {Name: "operation", Sort: "phase", From: 6.1, To: 7.4}, {Name: "backup", Sort: "operation", From: 6.1, To: 7.3}, {Name: "steady", Sort: "phase", From: 7.4, To: 10.4},
			{Name: "operation", Sort: "phase", From: 10.4, To: 17.9}, {Name: "restore", Sort: "operation", From: 10.4, To: 17.8}, {Name: "recovery", Sort: "phase", From: 17.9, To: 24.4},
		},
		Marks: []report.Mark{
			{Moment: report.Moment{At: 2.5, Kind: rundir.EventAlarm, Subject: "main", Text: "NOSPACE raised"}, Trial: "013-tour-repair", Profile: "stock"},
			{Moment: report.Moment{At: 4.07, Kind: rundir.EventAlarm, Subject: "main", Text: "NOSPACE cleared"}, Trial: "013-tour-repair", Profile: "stock"},
			{Moment: report.Moment{At: 12.9, Kind: rundir.EventLeaderChange, Subject: "main", Text: "etcd-main-1 → etcd-main-0"}, Trial: "013-tour-repair", Profile: "stock"},
		},
	}
	t := chartTime(-2, 24)
	add := func(name, title, unit string, log bool, parts []string, value func(part string, at float64) float64) {
		c := report.Chart{Name: name, Title: title, Unit: unit, Log: log}
		for _, part := range parts {
			l := report.Line{Profile: "stock", Trial: "013-tour-repair", Part: part, Valid: true, T: t}
			for _, at := range t {
				l.V = append(l.V, report.Number(value(part, at)*noise(0.05)))
			}
			c.Lines = append(c.Lines, l)
		}
		g.Chart = append(g.Chart, c)
	}
	away := func(at float64) bool { return at > 10.4 && at < 18.2 }
	add("latency.p99.mutating", "p99 latency of mutating requests", "seconds", true, []string{""}, func(_ string, at float64) float64 {
		if away(at) {
			return math.NaN()
		}
		return 0.05 + map[bool]float64{true: 0.3}[at > 0 && at < 5]
	})
	add("throughput", "Requests that succeeded, a second", "per second", false, []string{""}, func(_ string, at float64) float64 {
		switch {
		case away(at):
			return 0
		case at > 2.4 && at < 4.4:
			return 31
		}
		return 146
	})
	add("errors", "Requests that failed, a second", "per second", false, []string{""}, func(_ string, at float64) float64 {
		switch {
		case away(at):
			return 118
		case at > 2.4 && at < 4.4:
			return 96
		}
		return 0
	})
	var members []string
	for i := range 3 {
		members = append(members, fmt.Sprintf("etcd-main-%d", i))
	}
	add("memory", "Resident memory", "bytes", false, append(members, "kube-apiserver-0", "storm"), func(part string, at float64) float64 {
		return map[bool]float64{true: 320, false: 90 + at}[part == "kube-apiserver-0"] * (1 << 20)
	})
	add("etcd.dbsize", "Size of etcd's database file", "bytes", false, members, func(_ string, at float64) float64 {
		if at > 0 && at < 3.6 {
			return min(66.8, 3+at*27) * (1 << 20)
		}
		return 3 * (1 << 20)
	})
	return g
}
