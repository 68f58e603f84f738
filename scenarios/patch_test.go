package scenarios

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/storm-harness/storm/internal/strict"
)

func node(t *testing.T, file, text string) *strict.Node {
	t.Helper()
	n, problems := strict.Parse(file, []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return n
}

// flow returns a node on one line.
func flow(n *strict.Node) string { return brief(n) }

func TestMerge(t *testing.T) {
	for _, c := range []struct{ name, base, patch, want string }{
		{"a scalar replaces", `{a: 1, b: 2}`, `{b: 3}`, `{a: 1, b: 3}`},
		{"maps merge at any depth", `{a: {b: {c: 1, d: 2}}}`, `{a: {b: {d: 3, e: 4}}}`, `{a: {b: {c: 1, d: 3, e: 4}}}`},
		{"a new map is added", `{a: 1}`, `{b: {c: 2}}`, `{a: 1, b: {c: 2}}`},
		{"null takes away", `{a: 1, b: 2}`, `{b: null}`, `{a: 1}`},
		{"null of nothing is nothing", `{a: 1}`, `{b: null, c: {d: null}}`, `{a: 1, c: {}}`},
		{"a plain list is replaced", `{a: [1, 2, 3]}`, `{a: [4]}`, `{a: [4]}`},
		{"a list of maps without names is replaced", `{a: [{x: 1}, {x: 2}]}`, `{a: [{x: 3}]}`, `{a: [{x: 3}]}`},
		{"named elements merge by name", `{s: [{name: a, n: 1}, {name: b, n: 2}]}`, `{s: [{name: b, m: 3}]}`, `{s: [{name: a, n: 1}, {name: b, n: 2, m: 3}]}`},
		{"a new name is appended", `{s: [{name: a}]}`, `{s: [{name: c, n: 3}]}`, `{s: [{name: a}, {name: c, n: 3}]}`},
		{"a name is taken away", `{s: [{name: a}, {name: b}]}`, `{s: [{name: a, $delete: true}]}`, `{s: [{name: b}]}`},
		{"an empty list is replaced", `{s: []}`, `{s: [{name: a}]}`, `{s: [{name: a}]}`},
		{"by an empty list nothing changes where elements have names", `{s: [{name: a}]}`, `{s: []}`, `{s: [{name: a}]}`},
		{"a map replaces a scalar", `{a: 1}`, `{a: {b: 2}}`, `{a: {b: 2}}`},
		{"another kind of load", `{w: [{name: a, list: {r: 1}}]}`, `{w: [{name: a, list: null, nodes: {n: 1}}]}`, `{w: [{name: a, nodes: {n: 1}}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, patch := node(t, "base", c.base), node(t, "patch", c.patch)
			got, problems := merge(base, patch, "")
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if flow(got) != c.want {
				t.Errorf("got %s, want %s", flow(got), c.want)
			}
			if flow(base) != flow(node(t, "base", c.base)) || flow(patch) != flow(node(t, "patch", c.patch)) {
				t.Error("the base or the patch was changed")
			}
			again, _ := merge(got, patch, "")
			if !strings.Contains(c.patch, deleteKey) && flow(again) != flow(got) {
				t.Errorf("merged twice: %s, once: %s", flow(again), flow(got))
			}
		})
	}
}

func TestMergedNodesKeepTheirPlace(t *testing.T) {
	got, _ := merge(node(t, "base", "{a: 1,\n b: 2}"), node(t, "patch", "\n\n{b: 3}"), "")
	if pos := got.Get("a").Pos; pos.File != "base" || pos.Line != 1 {
		t.Errorf("a is at %s", pos)
	}
	if pos := got.Get("b").Pos; pos.File != "patch" || pos.Line != 3 {
		t.Errorf("b is at %s", pos)
	}
}

func TestSet(t *testing.T) {
	const spec = `{cluster: {etcd: {members: 3}}, workloads: [{name: fleet, nodes: {count: 5}}, {name: "1", x: 1}], timeline: [{steady: 1s}, {steady: 2s}], gates: [{p99.9: 1s}]}`
	for _, c := range []struct{ arg, want string }{
		{"cluster.etcd.members=5", `{cluster: {etcd: {members: 5}}, `},
		{"cluster.etcd.quota=64MiB", `{cluster: {etcd: {members: 3, quota: 64MiB}}, `},
		{"cluster.kubernetes.apiserver.replicas=2", `{cluster: {etcd: {members: 3}, kubernetes: {apiserver: {replicas: 2}}}, `},
		{"cluster.etcd={quota: 1GiB, members: null}", `{cluster: {etcd: {quota: 1GiB}}, `},
		{"cluster.etcd.members=", `{cluster: {etcd: {}}, `},
		{"workloads.fleet.nodes.count=500", `{name: fleet, nodes: {count: 500}}`},
		{"workloads.1.x=2", `{name: 1, x: 2}`},
		{"workloads.fleet=", `workloads: [{name: 1, x: 1}]`},
		{"timeline.1.steady=3s", `timeline: [{steady: 1s}, {steady: 3s}]`},
		{"timeline=[{steady: 9s}]", `timeline: [{steady: 9s}]`},
		{`gates.0.p99\.9=2s`, `gates: [{p99.9: 2s}]`},
		{"blocks=2", `blocks: 2}`},
		{"note=a=b", `note: a=b}`},
	} {
		t.Run(c.arg, func(t *testing.T) {
			before := node(t, "base", spec)
			got, problems := set(before, c.arg)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if !strings.Contains(flow(got), c.want) {
				t.Errorf("got %s, want %s in it", flow(got), c.want)
			}
			if flow(before) != flow(node(t, "base", spec)) {
				t.Error("the base was changed")
			}
		})
	}
	for _, c := range []struct{ arg, want string }{
		{"blocks", "--set blocks: wanted path=value, such as cluster.etcd.members=5"},
		{"=5", "--set =5: wanted path=value, such as cluster.etcd.members=5"},
		{"workloads.flet.nodes=1", "--set workloads.flet.nodes=1: flet: there is no element of that name: did you mean fleet?"},
		{"timeline.2.steady=1s", "--set timeline.2.steady=1s: 2: there is no such element: the list has 2, numbered from 0"},
		{"cluster.etcd.members.x=1", "--set cluster.etcd.members.x=1: x: there is no such field in the number 3"},
		{"blocks={", "--set blocks={: not YAML: did not find expected node content"},
	} {
		t.Run(c.arg, func(t *testing.T) {
			_, problems := set(node(t, "base", spec), c.arg)
			if problems.Error() != c.want {
				t.Errorf("got %q, want %q", problems.Error(), c.want)
			}
		})
	}
}

func TestChangesOf(t *testing.T) {
	got := changesOf(node(t, "patch", `
cluster:
  etcd: {heartbeatInterval: 50ms, quota: null, shards: [{name: events, members: 3}], flags: {a: b}}
workloads:
- {name: fleet, nodes: {count: 5}}
- {name: churn, $delete: true}
- {name: lists, list: {resources: [pods, nodes]}}
`))
	want := []string{
		"cluster.etcd.heartbeatInterval=50ms", "cluster.etcd.quota=default", "cluster.etcd.shards.events.members=3", "cluster.etcd.flags.a=b",
		"workloads.fleet.nodes.count=5", "workloads.churn taken away", "workloads.lists.list.resources=[pods, nodes]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCommandLineChanges(t *testing.T) {
	base := read(t, "testdata/valid.yaml")
	load := func(c Changes) (*Scenario, error) { return Load(base, testKinds(), c) }

	s, err := load(Changes{
		Sets:     []string{"cluster.etcd.members=5", "blocks=6", "workloads.fleet.nodes.count=7"},
		Profiles: []Source{{"slow.yaml", []byte("name: slow\npatch: {cluster: {etcd: {electionTimeout: 5s}}}\n")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range s.Profiles {
		names = append(names, p.Name)
	}
	if want := []string{"stock", "fast-election", "slow"}; !slices.Equal(names, want) || s.Blocks != 6 {
		t.Errorf("profiles %v, blocks %d", names, s.Blocks)
	}
	trial, err := s.Trial("slow", "")
	if err != nil {
		t.Fatal(err)
	}
	if trial.Cluster.Etcd.Members != 5 || trial.Cluster.Etcd.ElectionTimeout.String() != "5s" {
		t.Errorf("etcd of slow: %+v", trial.Cluster.Etcd)
	}
	text, err := s.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Load(Source{"resolved.yaml", text}, testKinds(), Changes{})
	if err != nil {
		t.Fatalf("the resolved scenario does not load: %v", err)
	}
	if diff := cmp.Diff(s.Gates, again.Gates); diff != "" || len(again.Profiles) != 3 {
		t.Errorf("the resolved scenario differs: %s", diff)
	}

	for _, c := range []struct {
		name    string
		changes Changes
		want    string
	}{
		{"an unknown field", Changes{Sets: []string{"cluster.etcd.membres=5"}},
			"--set cluster.etcd.membres=5: spec.cluster.etcd.membres: unknown field: did you mean members?"},
		{"a wrong type", Changes{Sets: []string{"cluster.etcd.members=five"}},
			`--set cluster.etcd.members=five: spec.cluster.etcd.members: wanted a whole number, found the text "five"`},
		{"a path from the root", Changes{Sets: []string{"spec.blocks=5"}},
			"--set spec.blocks=5: paths are relative to the spec: write blocks=5"},
		{"a profile's field", Changes{Profiles: []Source{{"p.yaml", []byte("name: p\npatch:\n  cluster:\n    etc: {}\n")}}},
			"p.yaml:4:5: spec.cluster.etc: unknown field: did you mean etcd? (with the profile p)"},
		{"a profile's value under a gate", Changes{Profiles: []Source{{"p.yaml", []byte("name: p\npatch: {cluster: {etcd: {shards: [{name: more}]}}}\n")}}},
			"p.yaml:2:35: spec.cluster.etcd.shards[more].resources: is missing: a shard without resources would hold nothing; write such as [/events] (with the profile p)"},
		{"no profile at all", Changes{Profiles: []Source{{"p.yaml", []byte("cluster: {}\n")}}},
			"p.yaml:1:1: wanted a profile: name, description and patch, as in a scenario's profiles"},
		{"no YAML", Changes{Profiles: []Source{{"p.yaml", []byte("a: b: c\n")}}},
			"p.yaml:1: not YAML: mapping values are not allowed in this context"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(c.changes)
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}
