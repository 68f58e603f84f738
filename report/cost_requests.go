package report

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/stats"
)

const (
	mostKinds     = 8  // kinds of request that the fit tells apart; the rest is one
	fewIntervals  = 20 // fewer tell nothing
	perColumn     = 5  // and neither do fewer than so many for each kind
	mostStretches = 10 // that a trial's time is divided into for the interval
)

// verbs are what the API server calls a load's verbs.
var verbs = map[string]string{"get": "GET", "list": "LIST", "create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE", "deletecollection": "DELETECOLLECTION"}

// otherRequests is the work of all requests that are not told apart.
const otherRequests = "all other requests"

// askedOf is what the API server calls a load's kind of request, which names neither
// group nor subresource; false of what is none.
func askedOf(k rundir.Key) (kind asked, ok bool) {
	verb, ok := verbs[k.Verb]
	if !ok || !isLoad(k) {
		return asked{}, false
	}
	resource, _, _ := strings.Cut(k.Resource, "/")
	resource, _, _ = strings.Cut(resource, ".")
	return asked{verb, resource}, true
}

// interval is what an API server did between two scrapes.
type interval struct {
	trial         int
	seconds, cpu  float64
	events, total float64
	requests      map[asked]float64
}

// work is a kind of work of the fit.
type work struct {
	KindCost
	kind asked // of a load's requests
	of   func(interval) float64
}

// fitted is a fit with what it takes to say what else costs as it found.
type fitted struct {
	RequestCost
	works    []work
	together []bool      // by work, as are all of the following
	each     []float64   // processor time, seconds
	without  [][]float64 // the same, of the fits that leave something out
	cores    float64     // that the API servers used
}

// requestCost fits the processor time of the API servers to what they did. That
// time is not told by kind of request anywhere, so it can only be inferred from
// how it moves with their numbers; where these move together, it cannot.
func requestCost(group []*trial) fitted {
	var all []interval
	for i, t := range group {
		all = append(all, t.intervals(i)...)
	}
	out := fitted{RequestCost: unfitted("")}
	out.Intervals = len(all)
	var a [][]float64
	var b []float64
	out.works, a, b = columns(workOf(group), all)
	var seconds float64
	for _, x := range all {
		seconds += x.seconds / serversOf(group)
	}
	for i := range out.works {
		out.works[i].Rate = Number(sum(a[i]) / seconds)
	}
	if len(all) == 0 {
		out.Why = "no API server was scraped twice in the steady phase"
		return out
	}
	if need := max(fewIntervals, perColumn*len(out.works)); len(all) < need {
		out.Why = fmt.Sprintf("%d intervals between scrapes in the steady phases; telling %d kinds of work apart takes %d", len(all), len(out.works), need)
		for _, w := range out.works {
			w.Each, w.Low, w.High, w.Share = Missing(), Missing(), Missing(), Missing()
			out.Kinds = append(out.Kinds, w.KindCost)
		}
		return out
	}
	together, condition := stats.Together(a)
	x := stats.NonNegative(a, b)
	used := sum(b)
	out.together, out.each, out.cores = together, x, used/seconds
	out.Condition = Number(condition)
	out.Residual = Number(rms(stats.Residuals(a, b, x)) / (used / float64(len(b))))
	out.without, out.LeftOut = leaveOut(all, len(group), a, b)
	joint := 0.0
	for i, w := range out.works {
		if together[i] {
			joint += x[i] * sum(a[i]) / used
		}
		w.Each, w.Share, w.Together = Number(x[i]), Number(x[i]*sum(a[i])/used), together[i]
		w.Low, w.High = jackknifed(x[i], column(out.without, i))
		out.Kinds = append(out.Kinds, w.KindCost)
	}
	for i := range out.Kinds {
		if k := &out.Kinds[i]; k.Together {
			k.Each, k.Low, k.High, k.Share = Missing(), Missing(), Missing(), Number(joint)
		}
	}
	return out
}

// jackknifed is the interval of a cost, from the fits that leave something out; at the
// bound of 0 leaving out tells nothing.
func jackknifed(found float64, without []float64) (low, high Number) {
	half := stats.Jackknife(without, Confidence)
	if math.IsNaN(half) || found == 0 {
		return Missing(), Missing()
	}
	return Number(math.Max(0, found-half)), Number(found + half)
}

// unfitted is a fit that could not be made.
func unfitted(why string) RequestCost {
	return RequestCost{Residual: Missing(), Condition: Missing(), Kinds: []KindCost{}, Why: why}
}

// intervals are what each API server did between consecutive scrapes of the
// steady phases.
func (t *trial) intervals(trial int) []interval {
	var out []interval
	for _, name := range t.ofKind(isAPIServer) {
		list := t.steady(name)
		for i := 1; i < len(list); i++ {
			a, b := list[i-1], list[i]
			if !t.follows(a, b) {
				continue
			}
			x := interval{trial: trial, seconds: float64(b.at-a.at) / 1e9, cpu: b.cpu - a.cpu, events: b.events - a.events, requests: map[asked]float64{}}
			again := x.events < 0 // a counter that fell is another process's
			for k, n := range b.requests {
				x.requests[k] = n - a.requests[k]
				x.total += x.requests[k]
				again = again || x.requests[k] < 0
			}
			if !again {
				out = append(out, x)
			}
		}
	}
	return out
}

func serversOf(group []*trial) float64 {
	n := 0
	for _, t := range group {
		n = max(n, len(t.ofKind(isAPIServer)))
	}
	return float64(n)
}

// workOf lists what the fit tells apart: the loads' own kinds of request, those
// that kept them waiting longest in sum first, and then what is left.
func workOf(group []*trial) []work {
	type seen struct {
		waited float64
		loads  []string
	}
	kinds := map[asked]*seen{}
	for _, t := range group {
		for k, c := range t.cells {
			key, ok := askedOf(k.Key)
			if !ok || k.phase != "steady" || c.hist.Count() == 0 {
				continue
			}
			if kinds[key] == nil {
				kinds[key] = &seen{}
			}
			kinds[key].waited += c.hist.Mean() * float64(c.hist.Count())
			if !slices.Contains(kinds[key].loads, k.Workload) {
				kinds[key].loads = append(kinds[key].loads, k.Workload)
			}
		}
	}
	order := slices.SortedFunc(maps.Keys(kinds), func(a, b asked) int {
		return cmp.Or(cmp.Compare(kinds[b].waited, kinds[a].waited), cmp.Compare(a.verb, b.verb), cmp.Compare(a.resource, b.resource))
	})
	order = order[:min(len(order), mostKinds)]
	var out []work
	for _, k := range order {
		slices.Sort(kinds[k].loads)
		out = append(out, work{KindCost{What: k.verb + " " + k.resource, Loads: kinds[k].loads, Unit: "request"}, k, func(x interval) float64 { return x.requests[k] }})
	}
	return append(
		out,
		work{KindCost{What: otherRequests, Loads: []string{}, Unit: "request"}, asked{}, func(x interval) float64 {
			n := x.total
			for _, k := range order {
				n -= x.requests[k]
			}
			return n
		}},
		work{KindCost{What: "events sent to watches", Loads: []string{}, Unit: "event"}, asked{}, func(x interval) float64 { return x.events }},
		work{KindCost{What: "what runs anyway", Loads: []string{}, Unit: "second"}, asked{}, func(x interval) float64 { return x.seconds }},
	)
}

// columns are the numbers of each kind of work and the processor time of each
// interval; work that never happened is left out.
func columns(works []work, all []interval) (done []work, a [][]float64, b []float64) {
	for _, w := range works {
		var c []float64
		for _, x := range all {
			c = append(c, w.of(x))
		}
		if sum(c) > 0 {
			done, a = append(done, w), append(a, c)
		}
	}
	for _, x := range all {
		b = append(b, x.cpu)
	}
	return done, a, b
}

// leaveOut fits again without each trial in turn; of fewer than three trials
// without each stretch of the time, since intervals next to each other are
// alike.
func leaveOut(all []interval, trials int, a [][]float64, b []float64) (fits [][]float64, what string) {
	what, groups := "trials", trials
	of := func(i int) int { return all[i].trial }
	if trials < 3 {
		what, groups = "stretches", mostStretches
		of = func(i int) int { return i * groups / len(all) }
	}
	for g := range groups {
		var rest []int
		for i := range all {
			if of(i) != g {
				rest = append(rest, i)
			}
		}
		pick := func(v []float64) (out []float64) {
			for _, i := range rest {
				out = append(out, v[i])
			}
			return out
		}
		var part [][]float64
		for _, c := range a {
			part = append(part, pick(c))
		}
		fits = append(fits, stats.NonNegative(part, pick(b)))
	}
	return fits, what
}

func column(rows [][]float64, i int) (out []float64) {
	for _, r := range rows {
		out = append(out, r[i])
	}
	return out
}

func sum(v []float64) (s float64) {
	for _, x := range v {
		s += x
	}
	return s
}

func rms(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x * x
	}
	return math.Sqrt(s / float64(len(v)))
}
