//go:build kind

package kind_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/kind/kindtest"
	"github.com/storm-harness/storm/internal/docker"
)

// TestThreeControlPlanes pauses, kills and starts again the container of one node
// of three: the others serve meanwhile, and it comes back by itself.
func TestThreeControlPlanes(t *testing.T) {
	three := 3
	deployment := clusters.Deployment{Replicas: &three}
	two := 2
	c := kindtest.Up(t, clusters.Spec{
		Kubernetes: clusters.Kubernetes{APIServer: deployment, ControllerManager: clusters.Deployment{Replicas: &two}, Scheduler: deployment},
		Etcd:       clusters.Etcd{Members: 3, Shards: []clusters.Shard{{Name: "events", Resources: []string{"/events"}, Members: 3}}},
	})
	if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
		t.Fatal(err)
	}
	if got := len(clusters.OfKind(c, clusters.KindControllerManager, "")); got != two {
		t.Errorf("%d controller managers have handles, want %d", got, two)
	}
	nodes, err := docker.Lines(t.Context(), "ps", "--filter", "label=io.x-k8s.kind.role=control-plane", "--filter", "label="+docker.KindLabel+"="+c.Name(), "--format", "{{.Names}}")
	if err != nil || len(nodes) != three {
		t.Fatalf("the nodes are %v, %v", nodes, err)
	}
	victim := c.Name() + "-control-plane3"
	configMap(t, c, "before")
	for _, how := range []struct {
		name     string
		down, up string
		end      bool
	}{{"paused", "pause", "unpause", false}, {"killed", "kill", "start", true}} {
		t.Run(how.name, func(t *testing.T) {
			if _, err := docker.Run(t.Context(), how.down, victim); err != nil {
				t.Fatal(err)
			}
			configMapInTime(t, c, "while-"+how.name) // through another node
			third, ok := clusters.Find(c, clusters.ID{Kind: clusters.KindAPIServer, Index: 2})
			if !ok {
				t.Fatal("the third apiserver has no handle")
			}
			if err := third.(clusters.Restarter).Ready(within(t, 2*time.Second)); err == nil {
				t.Error("the apiserver of the node answers")
			}
			if how.end {
				if err := acts.Until(within(t, soon), func(context.Context) error { return ended(third) }); err != nil {
					t.Error(err)
				}
			}
			if _, err := docker.Run(t.Context(), how.up, victim); err != nil {
				t.Fatal(err)
			}
			if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
				t.Error(err)
			}
		})
	}
	if err := c.Reset(within(t, guard), c.Spec()); err != nil {
		t.Fatal(err)
	}
	if n := len(keys(t, c, "main", "/registry/configmaps/default/while-")); n != 0 {
		t.Errorf("%d keys outlived the reset", n)
	}
}

func ended(c clusters.Component) error {
	if c.State().Running {
		return errors.New(c.ID().String() + " runs on, as far as its handle tells")
	}
	return nil
}
