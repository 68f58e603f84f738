package runner

import (
	"strings"
	"testing"

	"github.com/storm-harness/storm/faults"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/workloads"
)

// TestLimits: what a machine cannot tell is said beside every verdict, and what
// does not limit it is not.
func TestLimits(t *testing.T) {
	const (
		cores = "storm, its load and the whole control plane share 6 processor cores"
		disk  = "write to one disk"
		links = "connected by a virtual network of this machine"
		own   = "storm's own witness and probes write to every shard and member of etcd"

		kill  = "fault: {leaderKill: {}, for: 1s}"
		quiet = "steady: 1s"

		four = "{etcd: {shards: [{name: events, resources: [/events]}, {name: leases, resources: [coordination.k8s.io/leases]}, {name: pods, resources: [/pods]}]}}"
	)
	for _, c := range []struct {
		name     string
		cluster  string   // of the base
		profiles []string // other clusters, each of a profile beside the base
		want     []string // one a limit, in order: what it says
	}{
		{"one member", "{etcd: {members: 1}}", nil, []string{cores, links}},
		{"three members", "{etcd: {members: 3}}", nil, []string{cores, "All etcd members, 3 at most, " + disk, links}},
		{"four shards", strings.Replace(four, "{etcd: {", "{etcd: {members: 1, ", 1), nil, []string{cores, "All etcd members, 4 at most, " + disk, links}},
		{"in containers", "{provider: kind, etcd: {members: 3}}", nil, []string{cores, "All etcd members, 3 at most, " + disk, links}},
		// Where nothing is broken, the witness writes 1/s to each shard, the probes 1/s to each member.
		{
			"profiles with more members", "{etcd: {members: 1}}", []string{"{etcd: {members: 3}}", "{etcd: {members: 5}}"},
			[]string{cores, "All etcd members, 5 at most, " + disk, links, own + ", and so are part of the difference: 2/s with base; 4/s with other-1; 6/s with other-2."},
		},
		{
			"profiles with other shards", "{etcd: {members: 1}}", []string{four},
			[]string{cores, "All etcd members, 4 at most, " + disk, links, own + ", and so are part of the difference: 2/s with base; 8/s with other-1."},
		},
		// The base has the most: it is not the last profile that counts.
		{
			"profiles with fewer members", "{etcd: {members: 3}}", []string{"{etcd: {members: 1}}"},
			[]string{cores, "All etcd members, 3 at most, " + disk, links, own + ", and so are part of the difference: 2/s with other-1; 4/s with base."},
		},
		// 20/s to each where a fault may lose what was written.
		{
			"more members, and a fault", "{etcd: {members: 1}}", []string{"{etcd: {members: 3}}", "{etcd: {members: 5}}"},
			[]string{cores, "All etcd members, 5 at most, " + disk, links, own + ", and so are part of the difference: 40/s with base; 80/s with other-1; 120/s with other-2."},
		},
		{"profiles that write alike", "{etcd: {members: 1}}", []string{"{etcd: {quota: 4GiB}}"}, []string{cores, links}},
		// Its machines are not this one; it tells by itself once it has been seen.
		{"an existing cluster", "{provider: existing}", nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			step := quiet
			if strings.HasSuffix(c.name, "a fault") {
				step = kill
			}
			r := &run{o: Options{Scenario: runsOn(t, c.cluster, c.profiles, step), Host: rundir.Host{Cores: 6}}}
			about, err := r.about()
			if err != nil {
				t.Fatal(err)
			}
			often := 1.0
			if step == kill {
				often = 20
			}
			if o := about.Observing; o == nil || o.Probes != often || o.Witness != often {
				t.Errorf("observed %+v, want %g/s", o, often)
			}
			if len(about.Limits) != len(c.want) {
				t.Fatalf("%d limits, want %d: %q", len(about.Limits), len(c.want), about.Limits)
			}
			for i, want := range c.want {
				if !strings.Contains(about.Limits[i], want) {
					t.Errorf("limit %d is %q, want %q in it", i+1, about.Limits[i], want)
				}
			}
		})
	}
}

// What an existing cluster tells comes after what is known beforehand, and its
// topology is every profile's.
func TestWhatWasSeenIsTold(t *testing.T) {
	run := rundir.Run{Limits: []string{"known"}, Topology: []rundir.Topology{{Profile: "a"}, {Profile: "b"}}}
	tell(&run, seenOnce{})
	if got := strings.Join(run.Limits, "|"); got != "known|seen" {
		t.Errorf("the limits are %s", got)
	}
	for i, name := range []string{"a", "b"} {
		if got := run.Topology[i]; got.Profile != name || got.Parts["kube-apiserver"] != 2 {
			t.Errorf("the topology of %s is %+v", name, got)
		}
	}
}

type seenOnce struct{}

func (seenOnce) Observed() (rundir.Topology, []string) {
	return rundir.Topology{Parts: map[string]int{"kube-apiserver": 2}}, []string{"seen"}
}

// runsOn is a scenario that runs on a cluster, and with each of others as a
// profile.
func runsOn(t *testing.T, cluster string, others []string, step string) *scenarios.Scenario {
	t.Helper()
	var text strings.Builder
	text.WriteString("apiVersion: storm/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  description: d\n  cluster: " + cluster + "\n")
	if len(others) > 0 {
		text.WriteString("  blocks: 6\n  profiles:\n    - {name: base, description: d}\n")
	}
	for i, other := range others {
		text.WriteString("    - {name: other-" + string(rune('1'+i)) + ", description: d, patch: {cluster: " + other + "}}\n")
	}
	text.WriteString("  workloads:\n    - {name: fleet, nodes: {count: 20}}\n  timeline:\n    - steady: 3s\n    - " + step + "\n  gates:\n    - {metric: api.errors, max: 1%}\n")
	s, err := scenarios.Load(scenarios.Source{Name: "s.yaml", Text: []byte(text.String())}, scenarios.Kinds{Faults: faults.Kinds, Workloads: workloads.Kinds}, scenarios.Changes{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text.String())
	}
	return s
}
