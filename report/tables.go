package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
	"github.com/storm-harness/storm/report/stats"
)

// table collects rows by key and keeps them in order of their first sight.
type table[K comparable, V any] struct {
	at   map[K]int
	rows []V
}

func (t *table[K, V]) row(k K, first func() V) *V {
	if t.at == nil {
		t.at = map[K]int{}
	}
	i, ok := t.at[k]
	if !ok {
		i = len(t.rows)
		t.at[k] = i
		t.rows = append(t.rows, first())
	}
	return &t.rows[i]
}

// recoveries groups the recovery times, of each layer, op and shard the
// slowest surviving target's. As for a gate, one that did not come counts in a trial
// that is invalid for just that.
func recoveries(trials []*trial) []RecoveryGroup {
	type key struct{ profile, tour, act, layer, op, shard string }
	var rows table[key, RecoveryGroup]
	for _, t := range trials {
		if t.Discarded {
			continue
		}
		for _, a := range t.done.Acts {
			for _, rec := range a.Recovery {
				if !rec.Worst {
					continue
				}
				k := key{t.Profile, t.Tour, a.Name, rec.Layer, rec.Op, rec.Shard}
				g := rows.row(k, func() RecoveryGroup {
					return RecoveryGroup{Profile: k.profile, Tour: k.tour, Act: k.act, Sort: a.Sort, Layer: k.layer, Op: k.op, Shard: k.shard}
				})
				r := recovered(rec)
				p := RecoveryPoint{
					Trial: t.ID, Block: t.Block, Target: r.Target, RTO: r.RTO, Gap: r.Gap, Failed: r.Failed,
					Censored: r.Censored, Seen: r.Seen, Valid: t.state == TrialValid,
				}
				if late, ok := t.unhealedIn(*g); ok {
					p = late
				} else if a.Unhealed {
					p.Unwell = t.endedWell()
				}
				g.Points = append(g.Points, p)
			}
		}
	}
	for i := range rows.rows {
		g := &rows.rows[i]
		for _, t := range trials { // of which no probe was looked at
			p, ok := t.unhealedIn(*g)
			if ok && !slices.ContainsFunc(g.Points, func(x RecoveryPoint) bool { return x.Trial == t.ID }) {
				g.Points = append(g.Points, p)
			}
		}
		g.sum()
	}
	return rows.rows
}

// unhealedIn is the point of a trial that was not well again after a group's act, and
// in which what the group is about was not seen to recover either.
func (t *trial) unhealedIn(g RecoveryGroup) (RecoveryPoint, bool) {
	if t.Profile != g.Profile || t.Tour != g.Tour {
		return RecoveryPoint{}, false
	}
	v, ok := t.unhealed(gateOn("recovery.time", "act", g.Act, "layer", g.Layer, "op", g.Op, "shard", g.Shard))
	return RecoveryPoint{
		Trial: t.ID, Block: t.Block, RTO: Number(v.v), Gap: Number(v.v), Censored: true, Seen: Number(v.seen), Valid: true,
	}, ok
}

// sum fills in the figures of the valid points.
func (g *RecoveryGroup) sum() {
	var rto, gap []float64
	for _, p := range g.Points {
		if p.Unwell {
			g.Unwell++
		}
		if !p.Valid || !p.RTO.Is() {
			continue
		}
		g.Trials++
		if p.Censored {
			g.Censored++
		}
		rto, gap = append(rto, p.RTO.Float()), append(gap, p.Gap.Float())
	}
	slices.Sort(rto)
	slices.Sort(gap)
	g.Median, g.Gap, g.Best, g.Worst = Number(stats.Median(rto)), Number(stats.Median(gap)), Missing(), Missing()
	if len(rto) > 0 {
		g.Best, g.Worst = Number(rto[0]), Number(rto[len(rto)-1])
	}
}

func audits(trials []*trial) []Audit {
	var out []Audit
	for _, t := range trials {
		for _, a := range t.done.Journal {
			if t.Discarded && a.Lost == 0 && a.Mismatch == 0 {
				continue // a write that is lost is lost, whoever looks at the trial
			}
			out = append(out, Audit{Trial: t.ID, Profile: t.Profile, Block: t.Block, Tour: t.Tour, Valid: t.state == TrialValid, Audit: a})
		}
	}
	return out
}

// latencyOf is one row's parts while its trials are added.
type latencyOf struct {
	row             Latency
	p               [4][]float64
	rate, max       []float64
	received        []float64 // bytes a second
	decoded         []float64
	failed, success uint64
}

var latencyQuantiles = [4]float64{0.5, 0.9, 0.99, 0.999}

// latencies is the latency table, of valid trials, in the order of the profiles,
// phases and series.
func latencies(run rundir.Run, trials []*trial) []Latency {
	type key struct {
		profile, tour string
		cell          cellKey
	}
	var rows table[key, *latencyOf]
	for _, t := range trials {
		if t.state != TrialValid {
			continue
		}
		for _, k := range t.sortedCells() {
			c := t.cells[k]
			asked := c.ok+c.failed+c.hung.hist.Count()+c.hung.failed > 0
			if !asked && c.bytes == 0 {
				continue
			}
			r := *rows.row(key{t.Profile, t.Tour, k}, func() *latencyOf {
				return &latencyOf{row: Latency{
					Profile: t.Profile, Tour: t.Tour, Phase: k.phase, Workload: k.Workload, Verb: k.Verb,
					Resource: k.Resource, Scope: k.Scope, Detail: k.Detail, Via: or(k.Via, "api"),
				}}
			})
			r.carry(c, t.phaseSeconds(k.phase))
			if asked { // or a watch that was open before
				r.add(c, t.phaseSeconds(k.phase))
			}
		}
	}
	out := make([]Latency, 0, len(rows.rows))
	for _, r := range rows.rows {
		out = append(out, r.result(1-alphaOf(run)))
	}
	return out
}

// carry adds what came in bodies; what is seen through watches, or at etcd, has none
// of its own.
func (r *latencyOf) carry(c *cell, seconds float64) {
	if seconds > 0 && r.row.Via == "api" {
		r.received = append(r.received, float64(c.bytes)/seconds)
		r.decoded = append(r.decoded, float64(c.decoded())/seconds)
	}
}

func (r *latencyOf) add(c *cell, seconds float64) {
	r.row.Trials++
	r.success += c.ok
	if seconds > 0 {
		r.rate = append(r.rate, float64(c.ok)/seconds)
	}
	h := &c.hist
	behind, rank := c.unended(), func(g rundir.Gate, h *latency.Hist) { c.rank(g, h) }
	if r.row.Verb == rundir.VerbRenew {
		behind, rank = c.failed, c.rankFailed
	}
	if behind+c.hung.hist.Count()+c.hung.failed > 0 { // no copy where none is needed
		h = &latency.Hist{}
		rank(gateOn("api.latency", "phase", r.row.Phase), h)
	}
	r.failed += c.failed + c.hung.failed
	for i, q := range latencyQuantiles {
		v := math.NaN()
		if float64(h.Count())*(1-q) >= 1-1e-9 {
			v = h.Seconds(q)
		}
		r.p[i] = append(r.p[i], v)
	}
	if h.Count() > 0 {
		r.max = append(r.max, h.Max())
	}
}

func (r *latencyOf) result(confidence float64) Latency {
	out := r.row
	out.Requests, out.Failed = r.success, r.failed
	out.Rate, out.Max = middle(r.rate), Missing()
	out.Received, out.Decoded = middle(r.received), middle(r.decoded)
	out.P50, out.P90, out.P99, out.P999 = middle(r.p[0]), middle(r.p[1]), middle(r.p[2]), middle(r.p[3])
	if len(r.max) > 0 {
		out.Max = Number(slices.Max(r.max))
	}
	out.P99Low, out.P99High = Missing(), Missing()
	p99 := r.p[2] // in order, if none is missing
	switch ranks, ok := stats.QuantileRanks(uint64(len(p99)), 0.5, confidence); {
	case !out.P99.Is():
		out.P99Needs = "≥ 100 requests a trial"
	case !ok:
		out.P99Needs = fmt.Sprintf("≥ %d trials", stats.NeedQuantile(0.5, confidence))
	default:
		out.P99Low, out.P99High, out.P99Confidence = Number(p99[ranks.Low-1]), Number(p99[ranks.High-1]), ranks.Confidence
	}
	return out
}

// middle is the median, missing where any trial's value is.
func middle(v []float64) Number {
	if slices.ContainsFunc(v, math.IsNaN) {
		return Missing()
	}
	slices.Sort(v)
	return Number(stats.Median(v))
}

// sortedCells lists a trial's series, by phase in their order in time.
func (t *trial) sortedCells() []cellKey {
	order := func(phase string) int {
		return slices.IndexFunc(t.done.Phases, func(p rundir.Phase) bool { return p.Name == phase })
	}
	return slices.SortedFunc(maps.Keys(t.cells), func(a, b cellKey) int {
		return cmp.Or(cmp.Compare(order(a.phase), order(b.phase)), cmp.Compare(a.Via, b.Via), cmp.Compare(a.Workload, b.Workload),
			cmp.Compare(a.Verb, b.Verb), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Detail, b.Detail))
	})
}

func (t *trial) phaseSeconds(name string) float64 {
	var ns int64
	for _, p := range t.done.Phases {
		if p.Name == name {
			ns += p.To - p.From
		}
	}
	return float64(ns) / 1e9
}

// errorCounts lists the failures of every trial that ran, and the attempts that were
// made again: those of the loads first, then those of storm's own probes and witness, the most frequent first.
func errorCounts(trials []*trial) []ErrorCount {
	var rows table[ErrorCount, ErrorCount]
	for _, t := range trials {
		if t.Discarded {
			continue
		}
		seen := map[ErrorCount]bool{}
		for _, k := range t.sortedCells() {
			c := t.cells[k]
			if k.Via == rundir.ViaWatch && k.Verb == rundir.VerbRenew {
				continue // its requests are here already
			}
			for i, counts := range []map[string]uint64{c.codes, c.again} {
				for _, code := range slices.Sorted(maps.Keys(counts)) {
					id := ErrorCount{Profile: t.Profile, Tour: t.Tour, Workload: k.Workload, Verb: k.Verb, Resource: k.Resource, Phase: k.phase, Code: code, Again: i == 1}
					row := rows.row(id, func() ErrorCount { return id })
					row.Count += counts[code]
					if !seen[id] {
						row.Trials++
						seen[id] = true
					}
				}
			}
		}
	}
	own := func(e ErrorCount) int {
		if rundir.Own(e.Workload) {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(rows.rows, func(a, b ErrorCount) int { return cmp.Or(own(a)-own(b), cmp.Compare(b.Count, a.Count)) })
	return rows.rows
}
