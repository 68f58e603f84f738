package existing

import (
	"strings"
	"testing"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
)

// Whatever is set of a cluster is refused by its field, once.
func TestCheck(t *testing.T) {
	three, gates := 3, map[string]bool{"WatchList": false}
	for name, c := range map[string]struct {
		spec clusters.Spec
		want string // the fields
	}{
		"nothing":             {clusters.Spec{}, ""},
		"a version":           {clusters.Spec{Kubernetes: clusters.Kubernetes{Version: "v1.35"}}, "kubernetes.version"},
		"a directory":         {clusters.Spec{Kubernetes: clusters.Kubernetes{BinDir: "bin"}}, "kubernetes.binDir"},
		"apiservers":          {clusters.Spec{Kubernetes: clusters.Kubernetes{APIServer: clusters.Deployment{Replicas: &three}}}, "kubernetes.apiserver.replicas"},
		"feature gates":       {clusters.Spec{Kubernetes: clusters.Kubernetes{APIServer: clusters.Deployment{FeatureGates: gates}}}, "kubernetes.apiserver.featureGates"},
		"members, and shards": {clusters.Spec{Etcd: clusters.Etcd{Members: 3, Shards: []clusters.Shard{{Name: "events", Resources: []string{"/events"}}}}}, "etcd.members etcd.shards"},
		"a snapshot":          {clusters.Spec{From: "snapshot.db"}, "from"},
		"priority levels":     {clusters.Spec{Kubernetes: clusters.Kubernetes{PriorityLevels: []clusters.PriorityLevel{{Name: "low"}}}}, "kubernetes.priorityLevels"},
	} {
		c.spec.Provider = clusters.Existing
		var fields []string
		for _, problem := range Check(c.spec) {
			field, message, _ := strings.Cut(problem, ": ")
			if !strings.Contains(message, "did not make") {
				t.Errorf("%s: %s", name, problem)
			}
			fields = append(fields, field)
		}
		if got := strings.Join(fields, " "); got != c.want {
			t.Errorf("%s: refused %q, want %q", name, got, c.want)
		}
		if again := Check(c.spec.Defaulted()); len(again) != len(fields) {
			t.Errorf("%s: with its defaults it is refused for %q", name, again)
		}
	}
}

// Nothing that storm does to clusters of its own can be done here.
func TestNoCapabilities(t *testing.T) {
	absent := Capabilities(clusters.Spec{})
	for _, c := range []clusters.Capability{clusters.CanSignal, clusters.CanRestart, clusters.CanLink, clusters.CanData, clusters.CanGolden, clusters.CanEtcd, clusters.CanIssue} {
		if absent[c] == "" {
			t.Errorf("%s is not said to be absent", c)
		}
	}
}

// Gates on what cannot be seen are told from those on what can.
func TestUnmeasured(t *testing.T) {
	gate := func(metric string, where ...string) rundir.Gate {
		g := rundir.Gate{Metric: metric, Where: map[string]string{}}
		for i := 0; i < len(where); i += 2 {
			g.Where[where[i]] = where[i+1]
		}
		return g
	}
	shown := Target{Etcd: []Shard{{Name: "main", Endpoints: []string{"https://a:2379"}}}}
	for _, c := range []struct {
		gate          rundir.Gate
		without, with bool // measured without etcd shown, and with
	}{
		{gate("api.latency"), true, true},
		{gate("apf.rejected"), true, true},
		{gate("process.memory"), false, false},
		{gate("process.memory", "component", "storm"), true, true},
		{gate("etcd.db.size"), false, true},
		{gate("etcd.leader.changes", "shard", "main"), false, true},
		{gate("etcd.requests"), true, true},
		{gate("writes.lost"), true, true},
		{gate("writes.lost", "layer", "etcd"), false, false},
		{gate("recovery.time", "layer", "etcd"), false, true},
		{gate("recovery.time"), true, true},
		{gate("server.requests", "component", "kube-scheduler"), false, false},
	} {
		if why := (Target{}).Unmeasured(c.gate); (why == "") != c.without {
			t.Errorf("%s %v without etcd: %q", c.gate.Metric, c.gate.Where, why)
		}
		if why := shown.Unmeasured(c.gate); (why == "") != c.with {
			t.Errorf("%s %v with etcd: %q", c.gate.Metric, c.gate.Where, why)
		}
	}
}

func TestFew(t *testing.T) {
	same := func(s string) string { return s }
	if got := few(strings.Fields("a b c d e f g"), same); got != "a, b, c, d, e, and 2 more" {
		t.Errorf("got %q", got)
	}
	if got := few([]string{"a"}, same); got != "a" {
		t.Errorf("got %q", got)
	}
}
