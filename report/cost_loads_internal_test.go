package report

import (
	"math"
	"testing"
)

// What a load's requests took is charged by kind, those that are not told apart by what
// all others cost; its interval is of the sum, in which errors of two kinds may cancel.
func TestALoadIsChargedByKind(t *testing.T) {
	pods, leases, maps, other := asked{"LIST", "pods"}, asked{"PUT", "leases"}, asked{"GET", "configmaps"}, work{KindCost: KindCost{What: otherRequests}}
	f := fitted{
		works:    []work{{kind: pods}, {kind: leases}, other},
		together: []bool{false, true, false},
		each:     []float64{.05, .001, .002},
		// 100 lists and 100 others take 5.2 s in all of them.
		without: [][]float64{{.049, .001, .003}, {.05, .001, .002}, {.051, .001, .001}},
		cores:   2,
	}
	for name, c := range map[string]struct {
		did          spent
		cores, width float64 // width of the interval; NaN: none
		why          string
	}{
		"lists":                  {spent{answered: 100, kinds: map[asked]float64{pods: 100}}, .5, 2 * 4.302652729749464 * math.Sqrt(2.0/3*2e-4), ""},
		"lists and others":       {spent{answered: 200, kinds: map[asked]float64{pods: 100, maps: 100}}, .52, 0, ""},
		"what moves together":    {spent{answered: 200, kinds: map[asked]float64{pods: 100, leases: 100}}, math.NaN(), math.NaN(), "not separable: PUT leases"},
		"a little of that":       {spent{answered: 1001, kinds: map[asked]float64{pods: 1000, leases: 1}}, 5, -1, "without PUT leases, few of its requests, which cannot be told apart"},
		"most without an answer": {spent{answered: 24, unanswered: 1416, kinds: map[asked]float64{pods: 24}}, math.NaN(), math.NaN(), "1416 of its 1440 requests had no answer, and what they took is not known"},
		"one without an answer":  {spent{answered: 1000, unanswered: 1, kinds: map[asked]float64{pods: 1000}}, 5, -1, ""},
		"lists in pages":         {spent{answered: 100, paged: true, kinds: map[asked]float64{pods: 100}}, math.NaN(), math.NaN(), "its lists are in pages, and how many requests each took is not told"},
		"watches alone":          {spent{watches: true}, math.NaN(), math.NaN(), "it only watches, which the fit does not share out"},
		"etcd itself":            {spent{atEtcd: true, written: 7}, math.NaN(), math.NaN(), "it asks etcd itself, and no API server"},
		"nothing that was sent":  {spent{unsent: 9, watches: true}, math.NaN(), math.NaN(), "none of its 9 requests reached a server"},
		"nothing":                {spent{}, math.NaN(), math.NaN(), "it asked for nothing in the steady phase"},
	} {
		got := LoadCost{Processors: Missing(), Low: Missing(), High: Missing(), Share: Missing()}
		f.charge(&got, &c.did, 10)
		same := func(n Number, v float64) bool {
			return math.Abs(n.Float()-v) < 1e-9 || math.IsNaN(n.Float()) && math.IsNaN(v)
		}
		if !same(got.Processors, c.cores) || !same(got.Share, c.cores/2) || got.Why != c.why {
			t.Errorf("%s: %+v, want %v processors, %q", name, got, c.cores, c.why)
		}
		if width := (got.High - got.Low).Float(); c.width >= 0 && math.Abs(width-c.width) > 1e-9 || math.IsNaN(c.width) != math.IsNaN(width) {
			t.Errorf("%s: an interval of %v, want %v", name, width, c.width)
		}
	}
	unfit := fitted{RequestCost: unfitted("too little")}
	got := LoadCost{Processors: Missing()}
	if unfit.charge(&got, &spent{answered: 1, kinds: map[asked]float64{pods: 1}}, 1); got.Why != "too little" || got.Processors.Is() {
		t.Errorf("without a fit: %+v", got)
	}
}
