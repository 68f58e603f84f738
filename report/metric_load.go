package report

import (
	"math"
	"slices"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
)

// shownBy gives the verb of the series by which watches show a metric.
var shownBy = map[string]string{"pod.start": "start", "informer.sync": "sync", "watch.delivery": "deliver"}

// wholeStart is the detail of a pod's whole start; the others are parts of it.
const wholeStart = "created-running"

// watched is a statistic of what watches showed.
func (t *trial) watched(g rundir.Gate) value {
	detail, given := g.Where["detail"]
	if g.Metric == "pod.start" && !given {
		detail, given = wholeStart, true
	}
	var h latency.Hist
	var failed uint64
	t.shown(g, shownBy[g.Metric], func(k cellKey, c *cell) {
		if !given || k.Detail == detail {
			failed += c.rank(g, &h)
		}
	})
	return latencyValue(&h, failed, g.Stat, "observation", lateWord)
}

// shown calls each for the series of what watches showed that a gate looks at.
func (t *trial) shown(g rundir.Gate, verb string, each func(cellKey, *cell)) {
	for k, c := range t.cells {
		if k.Via == rundir.ViaWatch && k.Verb == verb && matches(g, "workload", k.Workload) && matches(g, "resource", k.Resource) && t.counts(g, k.phase) {
			each(k, c)
		}
	}
}

// stages is how long the stages of a load took, in whatever phase they ended: a
// load goes through them by itself, from the warm-up on.
func (t *trial) stages(g rundir.Gate) value {
	var h latency.Hist
	var failed uint64
	for k, c := range t.cells {
		if k.Via == rundir.ViaWatch && k.Verb == "stage" && matches(g, "workload", k.Workload) && matches(g, "detail", k.Detail) {
			c.rankIn(&h)
			failed += c.failed
		}
	}
	return latencyValue(&h, failed, g.Stat, "stage", lateWord)
}

// scheduled is how many pods a second a watch saw scheduled: over the phases of
// the gate or, where a load fills the cluster in stages, over the time that its
// stages took, for between them and after the last there is nothing to schedule.
func (t *trial) scheduled(g rundir.Gate) value {
	var n uint64
	if v, ok := t.scheduledInStages(g); ok {
		return v
	}
	t.shown(g, "start", func(k cellKey, c *cell) {
		if k.Detail == "created-scheduled" {
			n += c.ok
		}
	})
	if n == 0 {
		return missing("no pod was seen to be scheduled")
	}
	return t.perSecond(g, n, n)
}

// scheduledInStages is that of loads of stages; ok is false where there is none. Where
// a stage was not reached, or took longer than is known, it is over the whole phases:
// the stages that were are the first and quickest, and to count them alone would make
// the slower cluster look the faster.
func (t *trial) scheduledInStages(g rundir.Gate) (v value, ok bool) {
	var n, all uint64
	var seconds float64
	var short bool
	reached := map[string]int{} // in which of the phases, by load and stage
	stage := func(k cellKey) string { return k.Workload + "/" + k.Detail }
	t.shown(g, "stage", func(k cellKey, c *cell) {
		ok = true
		seconds += c.hist.Mean() * float64(c.ok)
		reached[stage(k)] = t.ordinal(k.phase)
	})
	for k, c := range t.cells {
		if k.Via != rundir.ViaWatch || !matches(g, "workload", k.Workload) {
			continue
		}
		short = short || k.Verb == "stage" && (c.failed > 0 || c.hist.Beyond() > 0) // in whatever phase
		if k.Verb != "bind" {
			continue
		}
		if t.counts(g, k.phase) {
			all += c.ok
		}
		if last, was := reached[stage(k)]; was && t.ordinal(k.phase) <= last { // what is bound anew later is of no stage
			n += c.ok
		}
	}
	switch {
	case !ok:
		return value{}, false
	case all+n == 0:
		return missing("no pod was seen to be scheduled"), true
	case short:
		return t.perSecond(g, all, all), true
	}
	return ratePerSecond(n, n, seconds), true
}

// ordinal is the place of a phase in the timeline.
func (t *trial) ordinal(phase string) int {
	return slices.IndexFunc(t.done.Phases, func(p rundir.Phase) bool { return p.Name == phase })
}

// perSecond is a number over the time of the phases that a gate looks at.
func (t *trial) perSecond(g rundir.Gate, n, samples uint64) value {
	return ratePerSecond(n, samples, t.seconds(g))
}

// ratePerSecond is a number over a time, in seconds.
func ratePerSecond(n, samples uint64, seconds float64) value {
	v := value{v: float64(n) / seconds, samples: samples, seen: math.NaN()}
	if math.IsInf(v.v, 0) || math.IsNaN(v.v) {
		return missing("no phase to count in")
	}
	return v
}

// onTime is how late a renewal may be, in seconds.
const onTime = 1

// leasesOnTime is the share of the nodes' heartbeats that renewed their lease in
// time. In what was run before storm counted heartbeats, each was one request.
func (t *trial) leasesOnTime(g rundir.Gate) value {
	var in, all uint64
	count := func(c *cell) {
		var h latency.Hist
		failed := c.rank(g, &h)
		in += h.Within(onTime)
		all += h.Count() - h.Unended() + failed
	}
	of := rundir.Gate{Metric: g.Metric, Where: map[string]string{"verb": "update", "resource": "leases.coordination.k8s.io"}}
	for _, label := range []string{"workload", "phase"} {
		if w, ok := g.Where[label]; ok {
			of.Where[label] = w
		}
	}
	counted := false // in whatever phase
	for k := range t.cells {
		counted = counted || k.Via == rundir.ViaWatch && k.Verb == rundir.VerbRenew && matches(g, "workload", k.Workload)
	}
	if counted {
		t.shown(g, rundir.VerbRenew, func(_ cellKey, c *cell) { count(c) })
	} else {
		for k, c := range t.cells {
			if selects(of, k) && t.counts(of, k.phase) {
				count(c)
			}
		}
	}
	if all == 0 {
		return missing("no lease was renewed")
	}
	return value{v: float64(in) / float64(all), samples: all, seen: math.NaN()}
}

// renewals is how long heartbeats took until their lease was renewed. One that
// failed, for whatever reason, ranks behind all that did not.
func (t *trial) renewals(g rundir.Gate) value {
	var h latency.Hist
	t.shown(g, rundir.VerbRenew, func(_ cellKey, c *cell) { c.rankFailed(g, &h) })
	return latencyValue(&h, h.Unended(), g.Stat, "heartbeat", "failed")
}

// apiBytes is how many bytes of bodies the load got a second.
func (t *trial) apiBytes(g rundir.Gate) value {
	var bytes, n uint64
	for k, c := range t.cells {
		if selects(g, k) && t.counts(g, k.phase) {
			if g.Metric == "api.bytes.decoded" {
				bytes += c.decoded()
			} else {
				bytes += c.bytes
			}
			n += c.ok + c.failed
		}
	}
	if n == 0 {
		return missing("no requests")
	}
	return t.perSecond(g, bytes, n)
}
