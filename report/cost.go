package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/stats"
)

// Growth is what an API server's memory grew by while watches and nodes came.
// All of it is charged to the ones, or all of it to the others: the two are
// ways to look at one growth, and do not add up.
type Growth struct{ Bytes, Watches, Nodes float64 }

// PerWatch is the growth for each watch that was opened; NaN where that means
// nothing.
func (g Growth) PerWatch() float64 { return g.by(g.Watches) }

// PerNode is the growth for each node; NaN where that means nothing.
func (g Growth) PerNode() float64 { return g.by(g.Nodes) }

func (g Growth) by(n float64) float64 {
	if !(g.Bytes > 0) || !(n > 0) {
		return math.NaN()
	}
	return g.Bytes / n
}

// found is a figure of one trial: a value, or why there is none.
type found struct {
	CostFigure
	v float64
}

// costs are the costs of the block trials of each profile, then of each tour.
func costs(run rundir.Run, trials []*trial) []Cost {
	var out []Cost
	var tours []string
	for _, t := range trials {
		if !slices.Contains(tours, t.Tour) {
			tours = append(tours, t.Tour)
		}
	}
	slices.SortStableFunc(tours, func(a, b string) int { return min(len(a), 1) - min(len(b), 1) }) // blocks first
	for _, tour := range tours {
		for _, p := range run.Profiles {
			var group []*trial
			for _, t := range trials {
				if t.Tour == tour && t.Profile == p.Name && t.state == TrialValid && t.phaseSeconds("steady") > 0 {
					group = append(group, t)
				}
			}
			switch {
			case len(group) > 0:
				f := requestCost(group)
				out = append(out, Cost{Profile: p.Name, Tour: tour, Trials: len(group), Figures: figures(group), Requests: f.RequestCost, Loads: loadCosts(group, f)})
			case tour == "":
				out = append(out, Cost{Profile: p.Name, Figures: []CostFigure{}, Requests: unfitted("no trial with a steady phase is valid"), Loads: []LoadCost{}})
			}
		}
	}
	return out
}

// figures are the medians of what each trial found.
func figures(group []*trial) []CostFigure {
	type key struct{ name, part string }
	type row struct {
		CostFigure
		v []float64
	}
	var rows table[key, row]
	for _, t := range group {
		for _, f := range t.cost() {
			r := rows.row(key{f.Name, f.Part}, func() row { return row{CostFigure: f.CostFigure} })
			if !math.IsNaN(f.v) {
				r.v = append(r.v, f.v)
			} else if r.Why == "" {
				r.Why = f.Why
			}
		}
	}
	out := make([]CostFigure, 0, len(rows.rows))
	for _, r := range rows.rows {
		slices.Sort(r.v)
		r.Trials, r.Median, r.Low, r.High = len(r.v), Number(stats.Median(r.v)), Missing(), Missing()
		if len(r.v) > 0 {
			r.Low, r.High = Number(r.v[0]), Number(r.v[len(r.v)-1])
		}
		out = append(out, r.CostFigure)
	}
	return out
}

// cost lists the figures of one trial, always the same ones for a topology.
func (t *trial) cost() []found {
	out := t.memoryCost()
	out = append(out, t.processorCost()...)
	return append(out, t.etcdCost()...)
}

// countNodes adds up the Node objects that loads made, less those that they
// deleted, until the steady phases are over.
func (t *trial) countNodes(w rundir.Window) {
	if w.Resource != "nodes" || w.To > t.steadyEnd() {
		return
	}
	switch w.Verb {
	case "create":
		t.nodes += float64(w.OK)
	case "delete":
		t.nodes -= float64(w.OK)
	}
}

func (t *trial) steadyEnd() (end int64) {
	for _, p := range t.done.Phases {
		if p.Name == "steady" {
			end = max(end, p.To)
		}
	}
	return end
}

// ofKind lists the components of a kind that were scraped, in order of name.
func (t *trial) ofKind(is func(string) bool) []string {
	var out []string
	for name := range t.readings {
		if is(name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

const noBaseline = "no scrape from before the load was recorded"

// fewWatches is how many more watches there must be for a quotient by them to
// mean something: a server's memory moves by some 100 MB by itself.
const fewWatches = 500

// memoryCost is what the API servers' memory grew by, of all of them together.
func (t *trial) memoryCost() []found {
	servers := t.ofKind(isAPIServer)
	var before, rss, grown, heap, watches float64
	why, unseen := "", ""
	for _, name := range servers {
		steady := t.steady(name)
		base, ok := t.without(name)
		switch {
		case len(steady) == 0:
			unseen = name + " was not scraped in the steady phase"
			why = unseen
		case !ok:
			why = noBaseline
		case t.restarted(name):
			why = name + " was started again after the load had begun"
		}
		resident := mean(steady, func(r gauged) float64 { return r.rss })
		before, rss, grown = before+base.rss, rss+resident, grown+resident-base.rss
		heap += mean(steady, func(r gauged) float64 { return r.heap }) - base.heap
		watches += mean(steady, func(r gauged) float64 { return r.watches }) - base.watches
	}
	if len(servers) == 0 {
		why, unseen = "no API server was scraped", "no API server was scraped"
	}
	nodeless := ""
	if t.nodes <= 0 {
		nodeless = "the load made no nodes"
	}
	few, still, cold := "", "", ""
	if watches < fewWatches {
		few = fmt.Sprintf("%.0f watches more than without the load: too few to see in a server's memory", watches)
	}
	if grown <= 0 {
		still = "the memory did not grow"
	}
	if heap <= 0 {
		cold = "the heap did not grow"
	}
	figure := func(name, what, unit, basis string, v float64, why ...string) found {
		return figureOf("memory", "apiserver."+name, "", what, unit, basis, v, cmp.Or(why...))
	}
	g, h := Growth{grown, watches, t.nodes}, Growth{heap, watches, t.nodes}
	const (
		resident = "growth of resident memory"
		inUse    = "growth of the Go heap in use, garbage of up to a cycle included,"
		since    = " from before the load to the mean of the steady phase, of all API servers"
		byWatch  = since + ", over the growth of open watches; all of it is charged to the watches, also what nodes, caches and requests took, and what a fresh server grows by itself"
		byNode   = since + ", over the nodes made; the same growth as by watches, so the two do not add up"
	)
	return []found{
		figure("memory.before", "API server memory before the load", "bytes", "resident memory, scraped just before the loads were prepared", before, why),
		figure("memory.steady", "API server memory under the load", "bytes", "resident memory, mean of the scrapes of the steady phase", rss, unseen),
		figure("watches", "watches open, more than before the load", "count", "growth of apiserver_longrunning_requests"+since, watches, why),
		figure("memory.perWatch", "API server memory per watch", "bytes", resident+byWatch, g.PerWatch(), why, few, still),
		figure("heap.perWatch", "API server heap per watch", "bytes", inUse+byWatch, h.PerWatch(), why, few, cold),
		figure("nodes", "nodes", "count", "Node objects that the loads made, less those that they deleted", t.nodes, nodeless),
		figure("memory.perNode", "API server memory per node", "bytes", resident+byNode, g.PerNode(), nodeless, why, still),
		figure("heap.perNode", "API server heap per node", "bytes", inUse+byNode, h.PerNode(), nodeless, why, cold),
	}
}

// figureOf is a figure whose value counts unless there is a reason why not.
func figureOf(group, name, part, what, unit, basis string, v float64, why string) found {
	if why == "" && (math.IsNaN(v) || math.IsInf(v, 0)) {
		why = "the run did not record what it takes"
	}
	if why != "" {
		v = math.NaN()
	}
	return found{CostFigure{Name: name, Part: part, Group: group, What: what, Unit: unit, Basis: basis, Why: why}, v}
}

// restarted says whether a component got another process before the steady
// phases were over.
func (t *trial) restarted(component string) bool {
	pid := 0
	for _, p := range t.procs[component] {
		if p.at > t.steadyEnd() {
			break
		}
		if pid != 0 && p.pid != pid {
			return true
		}
		pid = p.pid
	}
	return false
}

// mean is the mean over readings; NaN of none, or where one says nothing.
func mean(list []gauged, of func(gauged) float64) float64 {
	sum := 0.0
	for _, r := range list {
		sum += of(r)
	}
	return sum / float64(len(list))
}

// processorCost is the processor time of the steady phases.
func (t *trial) processorCost() []found {
	seconds := t.phaseSeconds("steady")
	figure := func(name, part, what, unit, basis string, v float64, why ...string) found {
		return figureOf("processor", name, part, what, unit, basis, v, cmp.Or(why...))
	}
	var out []found
	for _, kind := range t.componentKinds() {
		what := "processors used by " + kind
		if shard, ok := shardOf(kind); ok {
			what = "processors used by etcd, all members of shard " + shard
		}
		used := t.cpu(gateOn("process.cpu", "phase", "steady", "component", kind))
		out = append(out, figure("cpu", kind, what, "cores", "processor time of the steady phase by the kernel's account, over its length", used.v/seconds, used.note))
	}
	var used, requests, span float64 // of each server, in sum
	servers := t.ofKind(isAPIServer)
	for _, x := range t.intervals(0) {
		used, requests, span = used+x.cpu, requests+x.total, span+x.seconds
	}
	span /= float64(len(servers))
	unseen, idle, nodeless := "", "", ""
	if !(span > 0) {
		unseen = "no API server was scraped twice in the steady phase"
	}
	if requests <= 0 {
		idle = "no request ended in the steady phase"
	}
	if t.nodes <= 0 {
		nodeless = "the load made no nodes"
	}
	return append(
		out,
		figure("apiserver.requests", "", "requests that the API servers answered", "per second", "growth of apiserver_request_total between the scrapes of the steady phase: the loads', the controllers' and storm's own", requests/span, unseen),
		figure("apiserver.cpu.perRequest", "", "API server processor time per request", "seconds", "all processor time over all requests of the steady phase: watches, garbage collection, probes and scrapes are in it", used/requests, unseen, idle),
		figure("apiserver.cpu.perNodeMinute", "", "API server processor time per node and minute", "seconds", "all processor time of the steady phase, over nodes and minutes: whatever other loads cost is in it", used/(span/60)/t.nodes, nodeless, unseen),
	)
}

// componentKinds lists the kinds of component whose processes were sampled:
// etcd members by shard, the others without their number. storm itself is the
// load's cost.
func (t *trial) componentKinds() []string {
	kinds := map[string]bool{}
	for name := range t.procs {
		if name != rundir.StormComponent {
			kinds[kindOf(name)] = true
		}
	}
	return slices.Sorted(maps.Keys(kinds))
}
