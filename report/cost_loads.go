package report

import (
	"fmt"
	"maps"
	"slices"
)

// spent is what a load did in the steady phases of a profile's trials.
type spent struct {
	answered, written, bytes float64
	kinds                    map[asked]float64 // answered, by what the API server calls them
}

// loadCosts shares out among the loads what their requests cost, as far as the
// fit can tell the kinds apart: the cost of each kind times how many of it were
// the load's.
func loadCosts(group []*trial, f fitted) []LoadCost {
	loads, seconds := spentBy(group)
	revisions := revisionRate(group)
	out := make([]LoadCost, 0, len(loads))
	for _, name := range slices.Sorted(maps.Keys(loads)) {
		s := loads[name]
		c := LoadCost{
			Load: name, Requests: Number(s.answered / seconds), Bytes: Number(s.bytes / seconds), Writes: Number(s.written / seconds),
			Written: Missing(), Processors: Missing(), Low: Missing(), High: Missing(), Share: Missing(),
		}
		if revisions > 0 {
			c.Written = Number(s.written / seconds / revisions)
		}
		f.charge(&c, s, seconds)
		out = append(out, c)
	}
	return out
}

// charge adds the processor time of a load's requests, or why it is not known.
func (f fitted) charge(c *LoadCost, s *spent, seconds float64) {
	if c.Why = f.Why; c.Why != "" {
		return
	}
	numbers := make([]float64, len(f.works))
	var together []string
	for kind, n := range s.kinds {
		i := f.fittedAs(kind)
		if i < 0 {
			c.Why = fmt.Sprintf("the API servers counted no %s %s", kind.verb, kind.resource)
			return
		}
		numbers[i] += n
		if what := f.works[i].What; f.together[i] && !slices.Contains(together, what) {
			together = append(together, what)
		}
	}
	if len(together) > 0 {
		slices.Sort(together)
		c.Why = "not separable: " + listed(together)
		return
	}
	cores := func(each []float64) (sum float64) {
		for i, n := range numbers {
			sum += each[i] * n / seconds
		}
		return sum
	}
	var without []float64
	for _, each := range f.without {
		without = append(without, cores(each))
	}
	found := cores(f.each)
	c.Processors, c.Share = Number(found), Number(found/f.cores)
	c.Low, c.High = jackknifed(found, without)
}

// fittedAs is the work that a kind of request is part of in the fit; −1 where it is
// part of none.
func (f fitted) fittedAs(kind asked) int {
	if i := slices.IndexFunc(f.works, func(w work) bool { return w.kind == kind }); i >= 0 {
		return i
	}
	return slices.IndexFunc(f.works, func(w work) bool { return w.What == otherRequests })
}

// spentBy adds up what each load did in the steady phases, which took so many
// seconds in sum.
func spentBy(group []*trial) (loads map[string]*spent, seconds float64) {
	loads = map[string]*spent{}
	for _, t := range group {
		seconds += t.phaseSeconds("steady")
		for k, c := range t.cells {
			kind, ok := askedOf(k.Key)
			if !ok || k.phase != "steady" {
				continue
			}
			s := loads[k.Workload]
			if s == nil {
				s = &spent{kinds: map[asked]float64{}}
				loads[k.Workload] = s
			}
			n := float64(c.ok)
			for code, failed := range c.codes {
				if answered(code) {
					n += float64(failed)
				}
			}
			s.answered, s.bytes, s.kinds[kind] = s.answered+n, s.bytes+float64(c.bytes), s.kinds[kind]+n
			if k.Mutating() {
				s.written += float64(c.ok)
			}
		}
	}
	return loads, seconds
}

// answered says whether a failure is a server's answer: then its code is the
// HTTP status, and maybe a reason behind it.
func answered(code string) bool { return code != "" && code[0] >= '1' && code[0] <= '5' }

// revisionRate is how many revisions a second all shards of etcd make in the
// steady phases, each seen at one member; 0 where that was not scraped.
func revisionRate(group []*trial) (rate float64) {
	made, span := map[string]float64{}, map[string]float64{}
	for _, t := range group {
		for shard, member := range t.seenAt() {
			list := t.steady(member)
			for i := 1; i < len(list); i++ {
				if a, b := list[i-1], list[i]; t.follows(a, b) && b.revision >= a.revision {
					made[shard] += b.revision - a.revision
					span[shard] += float64(b.at-a.at) / 1e9
				}
			}
		}
	}
	for shard, seconds := range span {
		rate += made[shard] / seconds
	}
	return rate
}
