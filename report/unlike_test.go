package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
)

func ofScenario(t *testing.T, text string) *rundir.Dir {
	t.Helper()
	dir, err := rundir.Create(t.TempDir()+"/run", rundir.Run{ID: "r", Scenario: "s"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
	})
	if text != "" {
		if err := dir.WriteScenario([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Two runs of one scenario whose base clusters differ look alike by their names,
// loads and timelines.
func TestUnlike(t *testing.T) {
	const base = "spec:\n  description: one\n  cluster: {etcd: {members: 3}}\n  gates: [{metric: a, max: 1}]\n"
	for _, c := range []struct {
		name, old, now string
		want           []string
	}{
		{"the-same", base, base, nil},
		{"described-otherwise", base, strings.Replace(base, "one", "two", 1), nil},
		{"noted-otherwise", base, strings.Replace(base, "max: 1", "max: 1, note: why", 1), nil},
		{"more-members", base, strings.Replace(base, "members: 3", "members: 5", 1), []string{"cluster.etcd.members: 3 in the old run, 5 in the new one"}},
		{"a-flag", base, strings.Replace(base, "members: 3", "members: 3, flags: {x: y}", 1), []string{"cluster.etcd.flags.x: not given in the old run, y in"}},
		{"a-gate-less", base, "spec: {description: one, cluster: {etcd: {members: 3}}}", []string{"gates[0].max: 1 in the old run, not given", "gates[0].metric"}},
		{"another-load", base + "  workloads: [{name: fleet, nodes: {count: 5, sync: 10s}}]\n", base + "  workloads: [{name: fleet, nodes: {count: 5, sync: 30s}}]\n",
			[]string{"the scenario's workloads[0].nodes.sync: 10s in the old run, 30s in the new one"}},
		{"another-timeline", base + "  timeline: [{steady: 3s}, {recovery: {timeout: 20s}}]\n", base + "  timeline: [{steady: 3s}, {recovery: {timeout: 60s}}]\n",
			[]string{"the scenario's timeline[1].recovery.timeout: 20s in the old run, 60s in the new one"}},
		{"another-tour", base + "  tours: [{name: repair, timeline: [{backup: 1s}]}]\n", base + "  tours: [{name: repair, timeline: [{backup: 2s}]}]\n",
			[]string{"the scenario's tours[0].timeline[0].backup: 1s in the old run, 2s in the new one"}},
		{"not-kept", base, "", []string{"is not known: "}},
	} {
		got := unlike(ofScenario(t, c.old), ofScenario(t, c.now))
		if len(got) != len(c.want) {
			t.Errorf("%s: %q", c.name, got)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: %q, want %q", c.name, got[i], want)
			}
		}
	}
	many := map[string]string{}
	for i := range mostUnlike + 3 {
		many[fmt.Sprint(i)] = "x"
	}
	if got := unlikeFields(map[string]string{}, many); len(got) != mostUnlike+1 || !strings.HasPrefix(got[mostUnlike], "3 more fields") {
		t.Errorf("of many: %q", got)
	}
}
