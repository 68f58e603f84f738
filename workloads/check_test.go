package workloads

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/validate/content"

	"github.com/storm-harness/storm/internal/golden"
	"github.com/storm-harness/storm/internal/unit"
)

// of returns a load of a kind with its defaults, and what must be given.
func of[T Workload](change func(T)) Workload {
	for _, make := range Kinds {
		w, ok := make().(T)
		if !ok {
			continue
		}
		switch w := any(w).(type) {
		case *Nodes:
			w.Count = 200
		case *EventChurn:
			w.Rate = unit.Steady(100)
		case *List:
			w.Rate, w.Resource = unit.Steady(2), "pods"
		case *Informers:
			w.Count, w.Resource = 100, "pods"
		case *Watchers:
			w.Count, w.Rate = 100, unit.Steady(20)
		case *Deployments:
			w.Count, w.Churn = 5, unit.Steady(.5)
		case *ObjectChurn:
			w.Rate, w.Resource = unit.Steady(50), "configmaps"
		case *Preload:
			w.Objects = []PreloadObjects{{Shape: Shape{Resource: "configmaps"}, Count: 10_000, Size: sizes("1KiB..4KiB"), Namespaces: 10}}
		}
		change(w)
		return w
	}
	panic("not in Kinds")
}

func schedule(text string) unit.Schedule {
	var s unit.Schedule
	if err := s.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return s
}

func sizes(text string) unit.Sizes {
	var s unit.Sizes
	if err := s.UnmarshalText([]byte(text)); err != nil {
		panic(err)
	}
	return s
}

func TestDescriptions(t *testing.T) {
	yes, no := true, false
	var out strings.Builder
	for _, w := range []Workload{
		of(func(*Nodes) {}),
		of(func(n *Nodes) {
			n.Watches, n.Identity, n.Heartbeat = []string{"node"}, "storm", unit.Duration(time.Second)
		}),
		of(func(n *Nodes) { n.Connections, n.Pods.Crash = "perNode", .1 }),
		of(func(*EventChurn) {}),
		of(func(e *EventChurn) { e.Namespaces, e.Series = 20, 0 }),
		of(func(e *EventChurn) { e.Lists = .01 }),
		of(func(e *EventChurn) { e.Content = "json" }),
		of(func(o *ObjectChurn) { o.Content = "json" }),
		of(func(e *EventChurn) { e.Rate = schedule("0/s..500/s over 60s") }),
		of(func(e *EventChurn) { e.Rate = schedule("100/s for 30s, 200/s for 30s, 400/s") }),
		of(func(*List) {}),
		of(func(l *List) { l.ResourceVersion, l.Parallel, l.Unpaginated = "0", 8, &yes }),
		of(func(l *List) { l.Unpaginated, l.Resource, l.Rate = &no, "nodes", unit.Steady(1.0/60) }),
		of(func(l *List) { l.Limit, l.Namespace, l.Resource = 100, "kube-system", "deployments.apps" }),
		of(func(*Deployments) {}),
		of(func(*ObjectChurn) {}),
		of(func(o *ObjectChurn) {
			o.Resource, o.Size, o.Population = "widgets.load.storm.dev", sizes("lognormal 4KiB p99 256KiB"), 20_000
			o.Create, o.Update, o.Patch, o.Delete = 0, 1, 0, 0
		}),
		of(func(o *ObjectChurn) { o.Size, o.Resource = sizes("1MiB"), "secrets" }),
		of(func(*Preload) {}),
		of(func(p *Preload) {
			p.Objects = append(p.Objects, PreloadObjects{Shape: Shape{Resource: "pods"}, Count: 500, Size: sizes("2KiB"), Namespaces: 1})
		}),
	} {
		if problems := w.Check(); len(problems) > 0 {
			t.Errorf("%s\nis refused: %v", w.Describe(), problems)
		}
		fmt.Fprintln(&out, w.Describe())
	}
	golden.Check(t, "describe", out.String())
}

func TestBadInputIsRefusedByField(t *testing.T) {
	yes := true
	cases := map[string]Workload{
		"rate of zero":              of(func(e *EventChurn) { e.Rate = unit.Schedule{} }),
		"ramp beyond a machine":     of(func(e *EventChurn) { e.Rate = schedule("0/s..2000000/s over 60s") }),
		"steps of nothing":          of(func(e *EventChurn) { e.Rate = schedule("0/s for 3s, 0/s") }),
		"rate beyond a machine":     of(func(e *EventChurn) { e.Rate = unit.Steady(1e9) }),
		"arrivals unknown":          of(func(e *EventChurn) { e.Arrivals = "bursty" }),
		"content of events":         of(func(e *EventChurn) { e.Content = "table" }),
		"content of objects":        of(func(o *ObjectChurn) { o.Content = "" }),
		"bound of zero":             of(func(e *EventChurn) { e.InFlight = 0 }),
		"bound too high":            of(func(e *EventChurn) { e.InFlight = 1e6 }),
		"no deadline":               of(func(e *EventChurn) { e.Timeout = 0 }),
		"no namespaces":             of(func(e *EventChurn) { e.Namespaces = 0 }),
		"share above all":           of(func(e *EventChurn) { e.Series = 1.5 }),
		"shares above all":          of(func(e *EventChurn) { e.Series, e.Lists = .5, .6 }),
		"no resource":               of(func(l *List) { l.Resource = "" }),
		"lists beyond a machine":    of(func(l *List) { l.Rate, l.Parallel = unit.Steady(100_000), 11 }),
		"resource unknown":          of(func(l *List) { l.Resource = "pod" }),
		"resource of wrong group":   of(func(l *List) { l.Resource = "pods.apps" }),
		"namespace of nodes":        of(func(l *List) { l.Resource, l.Namespace = "nodes", "x" }),
		"namespace no name":         of(func(l *List) { l.Namespace = "Not A Name" }),
		"limit and unpaginated":     of(func(l *List) { l.Limit, l.Unpaginated = 5, &yes }),
		"limit negative":            of(func(l *List) { l.Limit = -1 }),
		"limit at version 0":        of(func(l *List) { l.Limit, l.ResourceVersion = 5, "0" }),
		"version unknown":           of(func(l *List) { l.ResourceVersion = "latest" }),
		"parallel zero":             of(func(l *List) { l.Parallel = 0 }),
		"parallel beyond in-flight": of(func(l *List) { l.Parallel = 101 }),
		"no nodes":                  of(func(n *Nodes) { n.Count = 0 }),
		"nodes beyond reason":       of(func(n *Nodes) { n.Count = 1e9 }),
		"nodes out of range": of(func(n *Nodes) {
			n.Heartbeat, n.StatusReport, n.Pods.Crash, n.Timeout, n.InFlight = 0, 0, 2, 0, 0
		}),
		"lives of nothing":       of(func(n *Nodes) { n.Pods.Crash, n.Pods.Life = .1, unit.OneDuration(0) }),
		"identity unknown":       of(func(n *Nodes) { n.Identity = "admin" }),
		"watch unknown":          of(func(n *Nodes) { n.Watches = []string{"pods", "podz"} }),
		"words unknown":          of(func(n *Nodes) { n.Sync, n.Content, n.Connections = "x", "y", "z" }),
		"own and nobody's":       of(func(n *Nodes) { n.Connections, n.Identity = "perNode", "storm" }),
		"no deployments":         of(func(d *Deployments) { d.Count = 0 }),
		"replicas negative":      of(func(d *Deployments) { d.Replicas = -1 }),
		"replicas beyond reason": of(func(d *Deployments) { d.Replicas = 1e6 }),
		"object no carrier":      of(func(o *ObjectChurn) { o.Resource = "deployments" }),
		"object unknown":         of(func(o *ObjectChurn) { o.Resource = "configmap" }),
		"object too large":       of(func(o *ObjectChurn) { o.Size = sizes("1KiB..2MiB") }),
		"lease too large":        of(func(o *ObjectChurn) { o.Resource, o.Size = "leases", sizes("256KiB") }),
		"widget too large":       of(func(o *ObjectChurn) { o.Resource, o.Size = "widgets", sizes("1536KiB") }),
		"tail too large":         of(func(o *ObjectChurn) { o.Size = sizes("exponential 256KiB") }),
		"shares below all":       of(func(o *ObjectChurn) { o.Delete = 0 }),
		"share below nothing":    of(func(o *ObjectChurn) { o.Create, o.Delete = -.5, 1 }),
		"population too small":   of(func(o *ObjectChurn) { o.Population = 10 }),
		"population of nobody":   of(func(o *ObjectChurn) { o.Population = 0 }),
		"namespaces of objects":  of(func(o *ObjectChurn) { o.Namespaces = 1e6 }),
		"preload of nothing":     of(func(p *Preload) { p.Objects = nil }),
		"preload beyond reason": of(func(p *Preload) {
			p.Objects = []PreloadObjects{
				{Shape: Shape{Resource: "nodes"}, Count: 0, Namespaces: 0},
				{Shape: Shape{Resource: "pods"}, Count: 1e9, Size: sizes("1MiB"), Namespaces: 1},
				{Shape: Shape{Resource: "pods"}, Count: 1, Namespaces: 1},
			}
			p.Parallel, p.Timeout = 0, 0
		}),
		"churn of zero": of(func(d *Deployments) { d.Churn = unit.Schedule{} }),
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
	golden.Check(t, "check", out.String())
}

func TestNodesBeyondTheOpenFileLimitAreRefused(t *testing.T) {
	n := of(func(n *Nodes) { n.Count = 90_000 }).(*Nodes)
	problems := n.check(1024)
	if len(problems) != 1 || !strings.Contains(problems[0], "ulimit -n") {
		t.Errorf("got %v", problems)
	}
	if problems := n.check(40960); len(problems) > 0 {
		t.Errorf("with files enough: %v", problems)
	}
}

func TestResources(t *testing.T) {
	for name, want := range map[string]struct{ series, path, inNamespace string }{
		"pods":                        {"pods", "/api/v1/pods", "/api/v1/namespaces/ns/pods"},
		"leases":                      {"leases.coordination.k8s.io", "/apis/coordination.k8s.io/v1/leases", "/apis/coordination.k8s.io/v1/namespaces/ns/leases"},
		"deployments.apps":            {"deployments.apps", "/apis/apps/v1/deployments", "/apis/apps/v1/namespaces/ns/deployments"},
		"widgets.v1beta2.example.com": {"widgets.example.com", "/apis/example.com/v1beta2/widgets", "/apis/example.com/v1beta2/namespaces/ns/widgets"},
	} {
		r, err := findResource(name)
		if err != nil || r.String() != want.series || r.path("") != want.path || r.path("ns") != want.inNamespace {
			t.Errorf("%s: %v, %s, %s, %s", name, err, r, r.path(""), r.path("ns"))
		}
	}
	if r, err := findResource("csinodes.v1.storage.k8s.io"); err != nil || r.namespaced {
		t.Errorf("a full name of a known resource: %+v, %v", r, err)
	}
}

func TestNamesFitWhateverTheLoadIsCalled(t *testing.T) {
	if got := namespaces("churn", 1)[0]; got != "storm-churn" {
		t.Errorf("got %q", got)
	}
	long := strings.Repeat("a", 62)
	seen := map[string]bool{}
	for _, load := range []string{long, long + "b", long[:48]} {
		names := namespaces(load, 10_000)
		last := names[len(names)-1]
		if problems := content.IsDNS1123Label(last); len(problems) > 0 || seen[last] {
			t.Errorf("%q: %v, seen before: %v", last, problems, seen[last])
		}
		seen[last] = true
	}
}
