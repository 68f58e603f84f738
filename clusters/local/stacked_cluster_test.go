//go:build cluster

package local

import (
	"context"
	"testing"
	"time"

	"github.com/storm-harness/storm/clusters"
)

// TestStackedMembersServeTheirOwn: a member that is down takes the apiserver with
// it that asks no other, and leaves the rest.
func TestStackedMembersServeTheirOwn(t *testing.T) {
	c := up(t, options(t, clusters.Spec{
		Kubernetes: clusters.Kubernetes{
			APIServer:         clusters.Deployment{Replicas: replicas(3)},
			ControllerManager: clusters.Deployment{Replicas: replicas(0)}, Scheduler: clusters.Deployment{Replicas: replicas(0)},
		},
		Etcd: clusters.Etcd{Members: 3, Topology: clusters.Stacked},
	}))
	part := func(kind clusters.Kind, shard string, i int) clusters.Restarter {
		found, ok := clusters.Find(c, clusters.ID{Kind: kind, Shard: shard, Index: i})
		if !ok {
			t.Fatalf("there is no %s %d", kind, i)
		}
		return found.(clusters.Restarter)
	}
	member := part(clusters.KindEtcd, clusters.MainShard, 2)
	if err := member.Stop(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := part(clusters.KindAPIServer, "", i).Ready(ctx)
		cancel()
		if alone := i == 2; alone != (err != nil) {
			t.Errorf("apiserver %d without member 2: %v", i, err)
		}
	}
	if err := member.Start(t.Context(), clusters.Change{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := part(clusters.KindAPIServer, "", 2).Ready(ctx); err != nil {
		t.Error(err)
	}
}
