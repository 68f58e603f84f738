package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report/latency"
)

// value is a metric of one trial.
type value struct {
	v        float64 // NaN: nothing was measured; +Inf: censored
	samples  uint64
	censored bool
	seen     float64 // seconds that a censored one was watched
	note     string
	failing  float64 // of requests, the share that failed and has no latency
}

func missing(note string) value { return value{v: math.NaN(), seen: math.NaN(), note: note} }

// metricOf returns the vocabulary's entry.
func metricOf(name string) (rundir.Metric, bool) {
	all := rundir.Metrics()
	i := slices.IndexFunc(all, func(m rundir.Metric) bool { return m.Name == name })
	if i < 0 {
		return rundir.Metric{}, false
	}
	return all[i], true
}

// measure returns the gate's metric of one trial.
func (t *trial) measure(g rundir.Gate) value {
	if t.state == TrialMissing || t.state == TrialCutOff {
		return missing(string(t.state))
	}
	switch g.Metric {
	case "api.latency", "etcd.latency":
		return t.apiLatency(g)
	case "api.errors", "api.throughput", "etcd.errors", "etcd.throughput":
		return t.apiRate(g)
	case "api.bytes", "api.bytes.decoded":
		return t.apiBytes(g)
	case "pod.start", "informer.sync", "watch.delivery":
		return t.watched(g)
	case "stage.time":
		return t.stages(g)
	case "scheduler.throughput":
		return t.scheduled(g)
	case "lease.onTime":
		return t.leasesOnTime(g)
	case "lease.renewal":
		return t.renewals(g)
	case "recovery.time", "recovery.gap":
		return t.recovery(g)
	case "writes.lost":
		return t.audit(g, func(a rundir.Audit) int { return a.Lost })
	case "restore.lost":
		return t.audit(g, func(a rundir.Audit) int { return a.Restored })
	case "restore.mismatch":
		return t.audit(g, func(a rundir.Audit) int { return a.Mismatch })
	case "operation.duration":
		return t.operation(g)
	case "etcd.leader.changes":
		return t.leaderChanges(g)
	case "process.memory":
		return t.memory(g)
	case "process.cpu":
		return t.cpu(g)
	case "isolation":
		return t.isolation(g)
	}
	if m, ok := serverMetrics[g.Metric]; ok {
		return t.told(g, m)
	}
	return missing("this version of storm does not know the metric")
}

// quantiles gives the quantile of each statistic.
var quantiles = map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}

// apiLatency is a statistic of the requests' latencies.
func (t *trial) apiLatency(g rundir.Gate) value {
	var h latency.Hist
	var failed uint64
	for k, c := range t.cells {
		if selects(g, k) && t.counts(g, k.phase) {
			failed += c.rank(g, &h)
		}
	}
	return latencyValue(&h, failed, g.Stat, "request", lateWord)
}

// lateWord is what is said of what ranks behind all others.
const lateWord = "did not end in time"

// latencyValue is a statistic of latencies, with what has to be said of it: noun is
// what was measured, and behind what became of those that rank behind all others.
func latencyValue(h *latency.Hist, failed uint64, stat, noun, behind string) value {
	v := value{v: statistic(h, stat), samples: h.Count(), seen: math.NaN()}
	count := func(n uint64) string { return unit.Count(n, noun) }
	var notes []string
	if n := h.Beyond(); n > 0 {
		notes = append(notes, fmt.Sprintf("%d of %s took %s", n, count(h.Count()), overLong))
	}
	if math.IsInf(v.v, 0) {
		v.censored = true
		if h.Unended() == 0 {
			v.seen = longest
		}
	}
	if need := needed(stat); h.Count() == 0 {
		notes = append(notes, "no "+noun+" succeeded")
	} else if h.Count() < need {
		notes = append(notes, fmt.Sprintf("of %s the %s is the largest", count(h.Count()), stat))
	}
	asked := failed + h.Count() - h.Unended()
	if n := h.Unended(); n > 0 {
		what := "and rank behind all others"
		if stat == "mean" {
			// To leave them out would make it the better the more of them there are, and
			// of none is known what it would have added.
			v.v, what = math.NaN(), "and a mean with them is not known"
		}
		notes = append(notes, fmt.Sprintf("%d of %s %s %s", n, count(asked), behind, what))
	}
	if n := failed - h.Unended(); n > 0 {
		v.failing = float64(n) / float64(asked)
		notes = append(notes, fmt.Sprintf("%d of %s failed and have no latency", n, count(asked)))
	}
	v.note = strings.Join(notes, "; ")
	return v
}

// needed is how many values it takes for a statistic to be another than the
// largest: a p99 takes a hundred.
func needed(stat string) uint64 {
	if q, ok := quantiles[stat]; ok {
		return uint64(math.Round(1 / (1 - q)))
	}
	return 1
}

func statistic(h *latency.Hist, stat string) float64 {
	switch q, ok := quantiles[stat]; {
	case ok:
		return h.Seconds(q)
	case stat == "max":
		return h.Max()
	case stat == "mean":
		return h.Mean()
	}
	return math.NaN()
}

// apiRate is the share of failures, or the successes a second.
func (t *trial) apiRate(g rundir.Gate) value {
	var ok, failed uint64
	for k, c := range t.cells {
		if selects(g, k) && t.counts(g, k.phase) {
			ok += c.ok
			failed += c.failures(g)
		}
	}
	if ok+failed == 0 {
		return missing("no requests")
	}
	v := value{samples: ok + failed, seen: math.NaN()}
	if strings.HasSuffix(g.Metric, ".errors") {
		v.v = float64(failed) / float64(ok+failed)
		return v
	}
	v.v = float64(ok) / t.seconds(g)
	if math.IsInf(v.v, 0) || math.IsNaN(v.v) {
		return missing("no phase to count the requests in")
	}
	return v
}

// etcdVerbs are the requests of a load on etcd that are timed as such: not what it asks
// for beside them, as a lease.
var etcdVerbs = map[string]bool{"range": true, "put": true, "txn": true}

// selects says whether a gate about the load looks at this series.
func selects(g rundir.Gate, k cellKey) bool {
	if ofEtcd := strings.HasPrefix(g.Metric, "etcd."); ofEtcd != atEtcd(k.Key) || !ofEtcd && !isLoad(k.Key) {
		return false
	}
	if !matches(g, "workload", k.Workload) || !matches(g, "resource", k.Resource) || !matches(g, "scope", k.Scope) || !matches(g, "detail", k.Detail) {
		return false
	}
	gr, timed := groupOf(k.Key)
	timed = timed && (!atEtcd(k.Key) || etcdVerbs[k.Verb])
	switch w, ok := g.Where["verb"]; {
	case !ok:
		return timed
	case w == "mutating", w == "read":
		return timed && gr.String() == w
	default:
		return w == k.Verb
	}
}

// counts says whether a gate looks at this phase: the one it names, else all
// but warm-up and cool-down.
func (t *trial) counts(g rundir.Gate, phase string) bool {
	if w, ok := g.Where["phase"]; ok {
		return w == phase
	}
	if phase == "" {
		return len(t.done.Phases) == 0
	}
	return phase != "warmup" && phase != "cooldown"
}

// seconds is the time of the phases that a gate looks at.
func (t *trial) seconds(g rundir.Gate) float64 {
	var ns int64
	for _, p := range t.done.Phases {
		if t.counts(g, p.Name) {
			ns += p.To - p.From
		}
	}
	if len(t.done.Phases) == 0 {
		ns = t.end
	}
	return float64(ns) / 1e9
}
