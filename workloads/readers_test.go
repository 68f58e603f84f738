package workloads

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/golden"
	"github.com/storm-harness/storm/internal/unit"
)

func TestReadersAreDescribed(t *testing.T) {
	var out strings.Builder
	for _, w := range []Workload{
		of(func(l *List) { l.ResourceVersion, l.Match, l.LabelSelector = "current", "exact", "app=web" }),
		of(func(l *List) {
			l.ResourceVersion, l.Match, l.FieldSelector, l.Namespace = "current", "notOlderThan", "spec.nodeName=node-1", "default"
			l.Limit, l.Content = 50, "table"
		}),
		of(func(*Informers) {}),
		of(func(n *Informers) {
			n.Count, n.Namespace, n.LabelSelector, n.Sync, n.Content, n.Connections = 1, "default", "app=web", "list", "json", "own"
			n.StartOver, n.RestartEvery = unit.Duration(30*time.Second), unit.Duration(time.Minute)
		}),
		of(func(n *Informers) { n.Restarts, n.Arrivals = schedule("0.1/s..2/s over 60s"), "poisson" }),
		of(func(*Watchers) {}),
		of(func(w *Watchers) {
			w.Count, w.Resource, w.Objects, w.Size, w.Sync, w.Connections = 1, "secrets", 1, 64<<10, "list", "own"
			w.Rate = schedule("0/s..100/s over 30s")
		}),
	} {
		if problems := w.Check(); len(problems) > 0 {
			t.Errorf("%s\nis refused: %v", w.Describe(), problems)
		}
		fmt.Fprintln(&out, w.Describe())
	}
	golden.Check(t, "describe-readers", out.String())
}

func TestBadReadersAreRefusedByField(t *testing.T) {
	cases := map[string]Workload{
		"list, version unmatched":           of(func(l *List) { l.ResourceVersion = "current" }),
		"list, match without version":       of(func(l *List) { l.Match = "exact" }),
		"list, match of exactly 0":          of(func(l *List) { l.ResourceVersion, l.Match = "0", "exact" }),
		"list, match unknown":               of(func(l *List) { l.ResourceVersion, l.Match = "current", "fuzzy" }),
		"list, selectors that do not parse": of(func(l *List) { l.LabelSelector, l.FieldSelector = "app in (web", "spec.nodeName" }),
		"informers, none":                   of(func(n *Informers) { n.Count = 0 }),
		"informers, words unknown":          of(func(n *Informers) { n.Sync, n.Content, n.Connections, n.Timeout = "x", "y", "z", 0 }),
		"informers, of nothing":             of(func(n *Informers) { n.Resource, n.LabelSelector = "podz", "=" }),
		"informers, custom":                 of(func(n *Informers) { n.Resource = "widgets.v1.example.com" }),
		"informers, too often":              of(func(n *Informers) { n.RestartEvery = unit.Duration(time.Millisecond) }),
		"informers, restarts twice":         of(func(n *Informers) { n.Restarts, n.RestartEvery = unit.Steady(1), unit.Duration(time.Minute) }),
		"informers, no restarts":            of(func(n *Informers) { n.Restarts = unit.Steady(0) }),
		"informers, restarts too often":     of(func(n *Informers) { n.Count, n.Restarts, n.Arrivals = 3, unit.Steady(4), "bursty" }),
		"informers, arrivals of nothing":    of(func(n *Informers) { n.Arrivals = "poisson" }),
		"watchers, none":                    of(func(w *Watchers) { w.Count = 0 }),
		"watchers, no rate":                 of(func(w *Watchers) { w.Rate = unit.Schedule{} }),
		"watchers, out of range":            of(func(w *Watchers) { w.Objects, w.Size, w.InFlight, w.Timeout, w.Arrivals = 0, 2<<20, 0, 0, "bursty" }),
		"watchers, too much":                of(func(w *Watchers) { w.Count, w.Rate = 2000, unit.Steady(1000) }),
		"watchers, of others":               of(func(w *Watchers) { w.Resource = "pods" }),
		"list, content unknown":             of(func(l *List) { l.Content = "yaml" }),
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		problems := cases[name].Check()
		if len(problems) == 0 {
			t.Errorf("%s: nothing was refused", name)
		}
		fmt.Fprintf(&out, "%s\n", name)
		for _, p := range problems {
			fmt.Fprintf(&out, "    %s\n", p)
		}
	}
	golden.Check(t, "check-readers", out.String())
}

func TestWatchesBeyondTheOpenFileLimitAreRefused(t *testing.T) {
	w := of(func(n *Informers) { n.Count, n.Connections = 2000, "own" }).(*Informers)
	problems := w.check("pods", 1024)
	if len(problems) != 1 || !strings.Contains(problems[0], "ulimit -n") {
		t.Errorf("got %v", problems)
	}
	w.Connections = "shared"
	if problems := w.check("pods", 1024); len(problems) > 0 {
		t.Errorf("over shared connections: %v", problems)
	}
}

func TestTheNewestVersionOnlyMovesOn(t *testing.T) {
	var n newest
	for _, v := range []uint64{3, 7, 5} {
		n.see(v)
	}
	if got := n.Load(); got != 7 {
		t.Errorf("got %d", got)
	}
}

// As the API server's metrics have it: a field selector by name is of one resource.
func TestScopes(t *testing.T) {
	for want, of := range map[string][2]string{
		"cluster": {"", "spec.nodeName=node-1"}, "namespace": {"default", ""}, "resource": {"default", "metadata.name=a"},
	} {
		if got := scopeIn(of[0], of[1]); got != want {
			t.Errorf("%q: %s, want %s", of, got, want)
		}
	}
}
