package render

import "github.com/storm-harness/storm/report"

// costsOf are the quickstart's: of one profile everything was measured, of the
// other what a short run leaves.
func costsOf(r *report.Result) {
	n := func(v float64) report.Number { return report.Number(v) }
	none := report.Missing()
	figure := func(group, name, part, what, unit, basis string, median, low, high float64) report.CostFigure {
		return report.CostFigure{Group: group, Name: name, Part: part, What: what, Unit: unit, Basis: basis, Median: n(median), Low: n(low), High: n(high), Trials: 6}
	}
	full := []report.CostFigure{
		figure("memory", "apiserver.memory.before", "", "API server memory before the load", "bytes", "resident memory, scraped once just before the loads were prepared", 284e6, 281e6, 290e6),
		figure("memory", "apiserver.memory.perWatch", "", "API server memory per watch", "bytes", "growth of resident memory over the growth of open watches", 52_300, 50_100, 55_900),
		figure("processor", "cpu", "kube-apiserver", "processors used by kube-apiserver", "cores", "processor time of the steady phase over its length", 0.412, 0.398, 0.44),
		figure("processor", "apiserver.cpu.perRequest", "", "API server processor time per request", "seconds", "all processor time over all requests", 0.00213, 0.00204, 0.00231),
		figure("etcd", "etcd.bytes.perObject", "main", "bytes in use per object, shard main", "bytes", "growth of bytes in use over the growth of objects", 1410, 1380, 1466),
	}
	part := []report.CostFigure{full[0], full[1], full[2], full[3], full[4]}
	part[0].Trials, part[0].Why = 5, "no scrape from before the load was recorded"
	part[1].Median, part[1].Low, part[1].High, part[1].Trials, part[1].Why = none, none, none, 0, "130 watches more than without the load: too few to see in a server's memory"
	r.Costs = []report.Cost{
		{Profile: "stock", Trials: 6, Figures: full, Requests: report.RequestCost{
			Intervals: 162, Residual: 0.183, Condition: 412, LeftOut: "trials",
			Kinds: []report.KindCost{
				{What: "LIST pods", Loads: []string{"lists"}, Unit: "request", Rate: 2.03, Each: 0.0214, Low: 0.0187, High: 0.0241, Share: 0.105},
				{What: "PUT leases", Loads: []string{"fleet"}, Unit: "request", Rate: 20.1, Each: none, Low: none, High: none, Share: 0.741, Together: true},
				{What: "events sent to watches", Loads: []string{}, Unit: "event", Rate: 611, Each: 0.000104, Low: 0, High: 0.00031, Share: 0.154},
				{What: "what runs anyway", Loads: []string{}, Unit: "second", Rate: 1, Each: none, Low: none, High: none, Share: 0.741, Together: true},
			},
		}, Loads: []report.LoadCost{
			{Load: "fleet", Requests: 20.4, Bytes: 10_240, Writes: 20.3, Written: 0.304, Processors: none, Low: none, High: none, Share: none, Why: "not separable: PUT leases"},
			{Load: "lists", Requests: 2.03, Bytes: 7_340_032, Writes: 0, Written: 0, Processors: 0.0434, Low: 0.038, High: 0.0489, Share: 0.105},
		}},
		{Profile: "fast-election", Trials: 6, Figures: part, Requests: report.RequestCost{
			Intervals: 12, Residual: none, Condition: none, Why: "12 intervals between scrapes in the steady phases; telling 2 kinds of work apart takes 20",
			Kinds: []report.KindCost{
				{What: "LIST pods", Loads: []string{"lists"}, Unit: "request", Rate: 1.98, Each: none, Low: none, High: none, Share: none},
				{What: "what runs anyway", Loads: []string{}, Unit: "second", Rate: 1, Each: none, Low: none, High: none, Share: none},
			},
		}, Loads: []report.LoadCost{
			{Load: "lists", Requests: 1.98, Bytes: 7_130_317, Writes: 0, Written: none, Processors: none, Low: none, High: none, Share: none, Why: "12 intervals between scrapes in the steady phases; telling 2 kinds of work apart takes 20"},
		}},
	}
}
