package report

import (
	"fmt"
	"math"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report/latency"
	"github.com/storm-harness/storm/report/stats"
)

// curveAt are the quantiles of a percentile curve; each is drawn where at
// least one request lies beyond it.
var curveAt = []float64{0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999, 0.99995, 0.99999}

// spokenOf are the quantiles that are named, with an interval.
var spokenOf = []float64{0.5, 0.99, 0.999}

// curves are the percentile curves of the block trials that are valid.
func curves(run rundir.Run, trials []*trial) []Curve {
	var out []Curve
	for _, p := range run.Profiles {
		for g := range groups {
			var each []*latency.Hist // a trial
			var all latency.Hist
			for _, t := range trials {
				if t.Profile != p.Name || t.Tour != "" || t.state != TrialValid {
					continue
				}
				h := t.latenciesOf(g)
				each = append(each, h)
				all.Merge(h)
			}
			if all.Count() > 0 {
				out = append(out, curve(p.Name, g, &all, each, 1-alphaOf(run)))
			}
		}
	}
	return out
}

// latenciesOf are the latencies of a trial's load in the measured phases.
func (t *trial) latenciesOf(g group) *latency.Hist {
	var h latency.Hist
	for k, c := range t.cells {
		if selects(gateOn("api.latency", "verb", g.String()), k) && t.counts(rundir.Gate{}, k.phase) {
			c.rankIn(&h)
		}
	}
	return &h
}

func curve(profile string, g group, all *latency.Hist, each []*latency.Hist, confidence float64) Curve {
	c := Curve{Profile: profile, Group: g.String(), Requests: all.Count()}
	for _, q := range curveAt {
		if float64(all.Count())*(1-q) >= 1-1e-9 {
			c.Q, c.Seconds = append(c.Q, q), append(c.Seconds, Number(all.Seconds(q)))
		}
	}
	c.Q, c.Seconds = append(c.Q, 1), append(c.Seconds, Number(all.Max()))
	for _, q := range spokenOf {
		c.Quantiles = append(c.Quantiles, quantileOf(q, all, each, confidence))
	}
	return c
}

// quantileOf is a quantile with its interval, as if the requests were the
// smaller number of independent ones that they are worth.
func quantileOf(q float64, all *latency.Hist, each []*latency.Hist, confidence float64) Quantile {
	out := Quantile{Q: q, Seconds: Missing(), Worth: Missing(), Low: Missing(), High: Missing()}
	needs := unit.Count(stats.NeedQuantile(q, confidence), "independent request")
	if float64(all.Count())*(1-q) < 1-1e-9 {
		out.Needs = "≥ " + needs
		return out
	}
	at := all.Seconds(q)
	out.Seconds = Number(at)
	if math.IsInf(at, 1) {
		out.Needs = "requests that end"
		return out
	}
	clusters := make([]stats.Cluster, len(each))
	for i, h := range each {
		clusters[i] = stats.Cluster{Values: h.Count(), Above: h.Count() - h.Within(at)}
	}
	effect := stats.DesignEffect(clusters)
	if !(effect >= 1) { // too few trials, or none above
		out.Needs = fmt.Sprintf("≥ %d trials", stats.LeastClusters)
		if len(each) >= stats.LeastClusters {
			out.Needs = "≥ " + needs
		}
		return out
	}
	n := float64(all.Count())
	worth := uint64(n / effect)
	out.Worth = Number(worth)
	ranks, ok := stats.QuantileRanks(worth, q, confidence)
	if !ok {
		out.Needs = "≥ " + needs
		return out
	}
	// The ranks among so few independent ones, as ranks among all there are.
	low, high := float64(ranks.Low-1)/float64(worth)*n, float64(ranks.High)/float64(worth)*n
	out.Low, out.High, out.Confidence = Number(all.Rank(uint64(low)+1)), Number(all.Rank(min(uint64(high+1), all.Count()))), ranks.Confidence
	return out
}
