package local

import (
	"slices"
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

func TestRestoresOfOneSnapshotShareATokenOnce(t *testing.T) {
	a, b := clusters.ID{Kind: clusters.KindEtcd, Shard: "main"}, clusters.ID{Kind: clusters.KindEtcd, Shard: "main", Index: 1}
	var r restores
	for i, step := range []struct {
		id     clusters.ID
		source string
		want   int
	}{
		{a, "x", 1}, {b, "x", 1}, // all members from one snapshot: one restore
		{b, "x", 2}, {a, "x", 2}, // the same again: another
		{a, "x", 3}, {a, "x", 4}, // cut short after one member, and taken up again
		{b, "x", 4},
		{b, "y", 5}, {a, "y", 5},
	} {
		if got := r.next(step.id, step.source); got != step.want {
			t.Errorf("step %d: restore %d, want %d", i, got, step.want)
		}
	}
}

func TestTailShowsThisProcessOnly(t *testing.T) {
	path := t.TempDir() + "/log"
	long := strings.Repeat("y", 400)
	write(t, path, "before\n")
	write(t, path, "one\ntwo\n\nthree\n"+long+"\nlast")
	for _, c := range []struct {
		from int64
		n    int
		want []string
	}{
		{7, 9, []string{"one", "two", "three", long[:300] + "…", "last"}},
		{7, 2, []string{long[:300] + "…", "last"}},
		{0, 2, []string{"before", "one", "two", "…", long[:300] + "…", "last"}},
		{9999, 2, nil},
	} {
		if got := tail(path, c.from, c.n); !slices.Equal(got, c.want) {
			t.Errorf("%d lines from %d: got %q, want %q", c.n, c.from, got, c.want)
		}
	}
	write(t, path, strings.Repeat("\nmore", shortLog))
	if got := tail(path, 0, 2); !slices.Equal(got, []string{"more", "more"}) {
		t.Errorf("of a long log: %q", got)
	}
	if got := tail(path+".absent", 0, 3); got != nil {
		t.Errorf("of no file: %q", got)
	}
}
