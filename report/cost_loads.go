package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// fewRequests is the share of a load's requests below which what is not known of some
// of them says nothing against what is known of the others.
const fewRequests = 0.01

// edges is by how much the share of a load that makes all of etcd's revisions may come to
// more than all: its writes are of the phases, the revisions of the scrapes within them.
// More than that is no share: writes that changed nothing, or a member that lags.
const edges = 0.05

// spent is what a load did in the steady phases of a profile's trials.
type spent struct {
	answered, unanswered, unsent, written, bytes float64
	kinds                                        map[asked]float64 // answered, by what the API server calls them
	watches, atEtcd, paged                       bool              // it has watches; it asks etcd itself; its lists take several requests each
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
		if share := s.written / seconds / revisions; share <= 1+edges {
			c.Written = Number(min(share, 1))
		}
		f.charge(&c, s, seconds)
		out = append(out, c)
	}
	return out
}

// charge adds the processor time of a load's requests, or why it is not known.
func (f fitted) charge(c *LoadCost, s *spent, seconds float64) {
	all := s.answered + s.unanswered
	switch {
	case all == 0 && s.unsent > 0:
		c.Why = fmt.Sprintf("none of its %.0f requests reached a server", s.unsent)
	case all == 0 && s.watches:
		c.Why = "it only watches, which the fit does not share out"
	case all == 0 && s.atEtcd:
		c.Why = "it asks etcd itself, and no API server"
	case all == 0:
		c.Why = "it asked for nothing in the steady phase"
	case f.Why != "":
		c.Why = f.Why
	case s.paged:
		c.Why = "its lists are in pages, and how many requests each took is not told"
	case s.unanswered > fewRequests*all:
		c.Why = fmt.Sprintf("%.0f of its %.0f requests had no answer, and what they took is not known", s.unanswered, all)
	}
	if c.Why != "" {
		return
	}
	numbers, apart := make([]float64, len(f.works)), 0.0
	var together []string
	for _, kind := range slices.SortedFunc(maps.Keys(s.kinds), func(a, b asked) int {
		return cmp.Or(cmp.Compare(a.verb, b.verb), cmp.Compare(a.resource, b.resource))
	}) {
		switch i := f.fittedAs(kind); {
		case i < 0 || f.together[i]:
			together = append(together, kind.verb+" "+kind.resource)
		default:
			numbers[i] += s.kinds[kind]
			apart += s.kinds[kind]
		}
	}
	if s.answered-apart > fewRequests*s.answered {
		c.Why = "not separable: " + listed(together)
		return
	}
	if len(together) > 0 {
		c.Why = "without " + listed(together) + ", few of its requests, which cannot be told apart"
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
			if k.phase != "steady" || rundir.Own(k.Workload) || k.Via == rundir.ViaWatch {
				continue
			}
			s := loads[k.Workload]
			if s == nil {
				s = &spent{kinds: map[asked]float64{}}
				loads[k.Workload] = s
			}
			s.add(k.Key, c)
		}
	}
	return loads, seconds
}

// add counts a series of the load's.
func (s *spent) add(k rundir.Key, c *cell) {
	if k.Mutating() && !unstored[k.Resource] {
		s.written += float64(c.ok)
	}
	kind, ok := askedOf(k)
	switch {
	case atEtcd(k):
		s.atEtcd = true
		return
	case !ok:
		s.watches = true
		return
	}
	s.paged = s.paged || strings.HasPrefix(k.Detail, "paginated")
	n := float64(c.ok)
	for code, failed := range c.codes {
		switch {
		case answered(code):
			n += float64(failed)
		case unsent[code]:
			s.unsent += float64(failed)
		default:
			s.unanswered += float64(failed)
		}
	}
	s.answered, s.bytes = s.answered+n, s.bytes+float64(c.bytes)
	if n > 0 {
		s.kinds[kind] += n
	}
}

// unstored are what an API server answers a creation of and keeps nothing: it makes no
// revision.
var unstored = map[string]bool{"serviceaccounts/token": true}

// unsent are the codes of what never reached a server.
var unsent = map[string]bool{"refused": true, "unreachable": true, "local": true, "tls": true}

// answered says whether a failure is a server's answer: then its code is the
// HTTP status, and maybe a reason behind it.
func answered(code string) bool {
	status, _, _ := strings.Cut(code, " ")
	return len(status) == 3 && strings.Trim(status, "0123456789") == ""
}

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
	for _, shard := range slices.Sorted(maps.Keys(span)) { // a sum of floats depends on its order
		rate += made[shard] / span[shard]
	}
	return rate
}
