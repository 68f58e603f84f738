package workloads

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestReadersAreDescribed(t *testing.T) {
	var out strings.Builder
	for _, w := range []Workload{
		of(func(l *List) { l.ResourceVersion, l.Match, l.LabelSelector = "current", "exact", "app=web" }),
		of(func(l *List) {
			l.ResourceVersion, l.Match, l.FieldSelector, l.Namespace = "current", "notOlderThan", "spec.nodeName=node-1", "default"
			l.Limit, l.Content = 50, "table"
		}),
	} {
		if problems := w.Check(); len(problems) > 0 {
			t.Errorf("%s\nis refused: %v", w.Describe(), problems)
		}
		fmt.Fprintln(&out, w.Describe())
	}
	golden(t, "describe-readers", out.String())
}

func TestBadReadersAreRefusedByField(t *testing.T) {
	cases := map[string]Workload{
		"list, version unmatched":           of(func(l *List) { l.ResourceVersion = "current" }),
		"list, match without version":       of(func(l *List) { l.Match = "exact" }),
		"list, match of exactly 0":          of(func(l *List) { l.ResourceVersion, l.Match = "0", "exact" }),
		"list, match unknown":               of(func(l *List) { l.ResourceVersion, l.Match = "current", "fuzzy" }),
		"list, selectors that do not parse": of(func(l *List) { l.LabelSelector, l.FieldSelector = "app in (web", "spec.nodeName" }),
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
	golden(t, "check-readers", out.String())
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
