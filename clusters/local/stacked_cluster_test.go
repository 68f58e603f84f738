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
	within := func(d time.Duration, do func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		return do(ctx)
	}
	// It looks after its etcd now and then only.
	lonely := part(clusters.KindAPIServer, "", 2)
	for began := time.Now(); within(time.Second, lonely.Ready) == nil; {
		if time.Since(began) > 30*time.Second {
			t.Fatal("an apiserver says that it is ready without its member")
		}
	}
	for i := range 2 {
		if err := within(10*time.Second, part(clusters.KindAPIServer, "", i).Ready); err != nil {
			t.Errorf("apiserver %d, which has its member: %v", i, err)
		}
	}
	if err := member.Start(t.Context(), clusters.Change{}); err != nil {
		t.Fatal(err)
	}
	if err := within(time.Minute, lonely.Ready); err != nil {
		t.Error(err)
	}
}
