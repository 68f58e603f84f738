//go:build cluster

package local

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/clusters"
)

// TestAShardOfAnotherVersion runs one shard with an older etcd and settings of
// its own, and upgrades it while the cluster lives.
func TestAShardOfAnotherVersion(t *testing.T) {
	events := clusters.Shard{
		Name: "events", Resources: []string{"/events"}, Version: "v3.5.35", Quota: 48 << 20,
		Flags: map[string]string{"experimental-initial-corrupt-check": "true", "experimental-corrupt-check-time": "1h"},
	}
	c := up(t, options(t, clusters.Spec{
		Kubernetes: clusters.Kubernetes{Scheduler: clusters.Deployment{Replicas: replicas(0)}},
		Etcd:       clusters.Etcd{Quota: 64 << 20, Shards: []clusters.Shard{events}},
	}))
	put(t, c, "before")
	runs := func(shard, version string, flags ...string) {
		t.Helper()
		st, err := at(t, c, shard, 0).Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(st.Version, version) {
			t.Errorf("%s runs %s, want %s", shard, st.Version, version)
		}
		pid := clusters.OfKind(c, clusters.KindEtcd, shard)[0].State().PID
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range flags {
			if !bytes.Contains(b, []byte(f)) {
				t.Errorf("%s runs without %s: %q", shard, f, b)
			}
		}
	}
	runs("main", "3.6.", "--quota-backend-bytes=67108864")
	runs("events", "3.5.35", "--quota-backend-bytes=50331648", "--experimental-initial-corrupt-check=true", "--experimental-corrupt-check-time=1h")

	tool, err := c.Etcdutl("events")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(tool, "v3.5.35") {
		t.Errorf("the shard's etcdutl is %s", tool)
	}
	handle := clusters.OfKind(c, clusters.KindEtcd, "events")[0].(clusters.Restarter)
	if err := handle.Stop(t.Context(), 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if err := handle.Start(t.Context(), clusters.Change{Version: "v3.6"}); err != nil {
		t.Fatal(err)
	}
	if err := handle.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	runs("events", "3.6.", "--feature-gates=InitialCorruptCheck=true", "--corrupt-check-time=1h")
	if tool, err = c.Etcdutl("events"); err != nil || !strings.Contains(tool, "v3.6.") {
		t.Errorf("after the upgrade the shard's etcdutl is %s, %v", tool, err)
	}
	if got := keys(t, c, "events", 0, "/registry/events/default/before"); len(got) != 1 {
		t.Errorf("the upgrade lost the event")
	}
	put(t, c, "after")
	// A reset undoes the change.
	if err := c.Reset(t.Context(), c.Spec()); err != nil {
		t.Fatal(err)
	}
	runs("events", "3.5.35")
}
