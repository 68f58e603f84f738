package local

import (
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/unit"
)

func TestCheckNamesWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*clusters.Spec)
		want   string // empty: nothing is wrong
	}{
		"defaults":  {func(*clusters.Spec) {}, ""},
		"wide":      {func(s *clusters.Spec) { *s = wide() }, ""},
		"no spec":   {func(s *clusters.Spec) { s.Kubernetes.APIServer.Replicas = replicas(0) }, "kubernetes.apiserver.replicas: must be at least 1"},
		"snapshot":  {func(s *clusters.Spec) { s.From = "x.db" }, "from: starting from a snapshot is not built yet"},
		"proxy":     {func(s *clusters.Spec) { s.Etcd.Proxy = "gateway" }, "etcd.proxy: gateway is not built yet"},
		"inherited": {func(s *clusters.Spec) { s.Etcd.Proxy, s.Etcd.Shards = "gateway", shards("a", "/events") }, "etcd.proxy: gateway is not built yet"},
		"own proxy": {func(s *clusters.Spec) {
			s.Etcd.Shards = shards("a", "/events")
			s.Etcd.Shards[0].Proxy = "gateway"
		}, "etcd.shards[0].proxy: gateway is not built yet"},
		"ten": {func(s *clusters.Spec) { s.Kubernetes.Scheduler.Replicas = replicas(10) }, "scheduler.replicas: 10 is more than the 9"},
		"crowd": {func(s *clusters.Spec) {
			for _, n := range strings.Split("abcdefghijklmnopqr", "") {
				s.Etcd.Shards = append(s.Etcd.Shards, clusters.Shard{Name: n, Resources: []string{n + "/x"}, Members: 9})
			}
		}, "163 members in all are more than"},
	} {
		t.Run(name, func(t *testing.T) {
			var spec clusters.Spec
			c.change(&spec)
			got := Check(spec)
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func ms(n int) unit.Duration { return unit.Duration(time.Duration(n) * time.Millisecond) }

func shards(name string, resources ...string) []clusters.Shard {
	return []clusters.Shard{{Name: name, Resources: resources}}
}
