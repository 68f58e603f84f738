package report

import (
	"fmt"
	"math"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
)

// quietShare is the share of an aggressor's requests below which a phase counts
// as one without it: the last of them may end a moment late.
const quietShare = 0.01

// isolation is a victim's p99 latency while an aggressor asks nothing over its
// p99 while the aggressor is at it: 100 % where it does not feel it, 10 % where
// it waits ten times as long. The quiet may be any phase but the warm-up.
func (t *trial) isolation(g rundir.Gate) value {
	asked, all := map[string]uint64{}, uint64(0)
	for k, c := range t.cells {
		if isLoad(k.Key) && k.Workload == g.Where["aggressor"] {
			asked[k.phase] += c.ok + c.failed
			all += c.ok + c.failed
		}
	}
	if all == 0 {
		return missing("the aggressor made no request")
	}
	victim := rundir.Gate{Metric: "api.latency", Where: map[string]string{}}
	for _, label := range []string{"workload", "verb", "resource", "scope"} {
		if w, ok := g.Where[label]; ok {
			victim.Where[label] = w
		}
	}
	var quiet, loud latency.Hist
	var failed uint64
	for k, c := range t.cells {
		switch {
		case !selects(victim, k) || k.phase == "warmup" || k.phase == "":
		case float64(asked[k.phase]) < quietShare*float64(all):
			quiet.Merge(&c.hist) // what times out here may have begun beside the aggressor
		default:
			c.rankIn(&loud)
			failed += c.failed - c.unended()
		}
	}
	for h, where := range map[*latency.Hist]string{&quiet: "without the aggressor", &loud: "with it"} {
		if h.Count()-h.Unended() < needed("p99") {
			return missing(fmt.Sprintf("%d requests succeeded %s: a p99 takes %d", h.Count()-h.Unended(), where, needed("p99")))
		}
	}
	alone, beside := statistic(&quiet, "p99"), statistic(&loud, "p99")
	if math.IsInf(alone, 1) {
		return missing("the victim's p99 without the aggressor has no known end")
	}
	v := value{v: alone / beside, censored: math.IsInf(beside, 1), samples: quiet.Count() + loud.Count(), seen: math.NaN()}
	v.note = fmt.Sprintf("p99 %s alone, %s beside the aggressor", FormatOf("api.latency", Number(alone), "seconds"), FormatOf("api.latency", Number(beside), "seconds"))
	if n := loud.Unended(); n > 0 {
		v.note += fmt.Sprintf("; %d requests did not end in time and rank behind all others", n)
	}
	if failed > 0 {
		v.failing = float64(failed) / float64(failed+loud.Count())
		v.note += fmt.Sprintf("; %d requests failed and have no latency", failed)
	}
	return v
}
