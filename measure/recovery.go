package measure

import (
	"cmp"
	"slices"

	"github.com/storm-harness/storm/internal/rundir"
)

// Consecutive is how many successes in a row count as recovered.
const Consecutive = 5

// Disturbance is an act as the probes' outcomes are judged by it. Times are
// ns since the clock's origin.
type Disturbance struct {
	Intended int64 // when the act was to happen: recovery times count from here
	Injected int64 // when the call that did it returned: by now it has bitten
	// Until is where the observation ended; probes that were not done by then
	// are left alone. 0 means the last outcome.
	Until int64
	// Down are the components that the act itself took out of service.
	Down []string
	// N is how many successes in a row count as recovered; 0 means Consecutive.
	N int
}

// Recovery computes the recovery times from the outcomes of the probes, which
// may come in any order, one entry a layer, operation, shard and target.
//
// The probes of one target and operation that were intended at or after
// Intended are taken in order of their intended times. Its recovery time ends
// with the completion of the first probe of a run of N or more successes in a
// row, in which N or more probes were intended at or after Injected: a success
// from before the act had bitten proves nothing. Within that run the first
// probe is the one after the failure that precedes the run, even where that
// probe was intended before Injected, as it is in an operation that takes long
// and lets the service back in before its call returns.
//
// Where no failure precedes the run, the service was never out for as long as a
// probe's deadline. Then the recovery time is the longest time between two
// completions until N successes after Injected are complete: the gap that a
// client saw. A leader lost for less than the deadline shows in it, and a target
// that was not disturbed at all has about the interval of its probes.
//
// Every target's figures are given. Worst marks, for each layer, operation and
// shard, the slowest of the targets that the act did not take down; where it
// took down all of them, the slowest of all.
func Recovery(probes []rundir.Probe, d Disturbance) []rundir.Recovery {
	until := d.Until
	if until == 0 {
		for _, p := range probes {
			until = max(until, p.Done)
		}
	}
	groups := map[seriesID][]rundir.Probe{}
	for _, p := range probes {
		// What was still under way when the observation ended tells of whatever
		// ended it: of the next act, most likely.
		if p.Intended <= until && p.Done <= until {
			id := seriesID{p.Layer, p.Op, p.Shard, p.Target}
			groups[id] = append(groups[id], p)
		}
	}
	var out []rundir.Recovery
	for id, list := range groups {
		slices.SortFunc(list, func(a, b rundir.Probe) int { return cmp.Compare(a.Intended, b.Intended) })
		if r := recovery(list, d, until); r.Probes > 0 {
			r.Layer, r.Op, r.Shard, r.Target = id.layer, id.op, id.shard, id.target
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b rundir.Recovery) int {
		return cmp.Or(cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Op, b.Op), cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Target, b.Target))
	})
	markWorst(out, d.Down)
	return out
}

// seriesID names the probes of one kind at one target.
type seriesID struct{ layer, op, shard, target string }

// recovery judges the outcomes of one target, in order of intended times.
func recovery(list []rundir.Probe, d Disturbance, until int64) rundir.Recovery {
	r := rundir.Recovery{Seen: until - d.Intended, Longest: longestGap(list, d.Intended, until)}
	first, _ := slices.BinarySearchFunc(list, d.Intended, func(p rundir.Probe, at int64) int { return cmp.Compare(p.Intended, at) })
	all := list
	list = list[first:]
	r.Probes = len(list)
	for _, p := range list {
		if p.Err != "" {
			r.Failed++
			r.Stable = max(r.Stable, p.Done-d.Intended)
		}
	}
	run, ok := recovered(len(list), cmp.Or(d.N, Consecutive), d.Injected, func(i int) (int64, bool) { return list[i].Intended, list[i].Err == "" })
	switch {
	case !ok:
		r.Censored = true
	case run.failed:
		r.RTO = list[run.first].Done - d.Intended
	default:
		r.RTO = longestGap(all, d.Intended, list[run.last].Done)
	}
	return r
}

// successes is a run of successes, as Recovery defines it: the indices of its
// first probe and of the one that completed it, and whether a probe had failed
// before it.
type successes struct {
	first, last int
	failed      bool
}

// recovered finds the run that is the recovery. outcome gives the intended time
// of the i-th of n probes, in order, and whether it succeeded.
func recovered(n, consecutive int, injected int64, outcome func(i int) (int64, bool)) (successes, bool) {
	run, after := successes{first: -1}, 0 // after: how many of the run were intended at or after injected
	for i := range n {
		intended, ok := outcome(i)
		if !ok {
			run, after = successes{first: -1, failed: true}, 0
			continue
		}
		if run.first < 0 {
			run.first = i
		}
		if intended >= injected {
			after++
		}
		if after >= consecutive {
			run.last = i
			return run, true
		}
	}
	return successes{}, false
}

// longestGap returns the longest span between two completions of successful
// probes: from the last success before the act, or from its intended instant
// where none is known, to the end of the observation.
func longestGap(list []rundir.Probe, intended, until int64) int64 {
	var done []int64
	last := int64(-1)
	for _, p := range list {
		switch {
		case p.Err != "" || p.Done > until:
		case p.Done < intended:
			last = max(last, p.Done)
		default:
			done = append(done, p.Done)
		}
	}
	if last < 0 {
		last = intended
	}
	slices.Sort(done)
	var longest int64
	for _, at := range append(done, until) {
		longest, last = max(longest, at-last), at
	}
	return longest
}

// markWorst marks the slowest of each layer, operation and shard.
func markWorst(list []rundir.Recovery, down []string) {
	worst := map[seriesID]int{}
	for i, r := range list {
		id := seriesID{r.Layer, r.Op, r.Shard, ""}
		j, ok := worst[id]
		if !ok || slower(r, list[j], down) {
			worst[id] = i
		}
	}
	for _, i := range worst {
		list[i].Worst = true
	}
}

// slower is true if a tells more about the service's recovery than b does: a
// survivor more than a target that was taken down, then the slower one.
func slower(a, b rundir.Recovery, down []string) bool {
	aUp, bUp := !slices.Contains(down, a.Target), !slices.Contains(down, b.Target)
	switch {
	case aUp != bUp:
		return aUp
	case a.Censored != b.Censored:
		return a.Censored
	}
	return a.RTO > b.RTO
}
