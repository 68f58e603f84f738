//go:build kind

package kind_test

import (
	"context"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/kind"
	"github.com/storm-harness/storm/clusters/kind/kindtest"
)

// TestTwoClustersAtOnce starts two together: neither sees the other, and the end
// of one is nothing to the other.
func TestTwoClustersAtOnce(t *testing.T) {
	none := 0
	spec := clusters.Spec{Kubernetes: clusters.Kubernetes{ControllerManager: clusters.Deployment{Replicas: &none}, Scheduler: clusters.Deployment{Replicas: &none}}}
	var both [2]*kind.Cluster
	var options [2]kind.Options
	for i := range both {
		options[i] = kindtest.Options(t, spec)
	}
	g, ctx := errgroup.WithContext(t.Context())
	for i := range both {
		g.Go(func() (err error) {
			both[i], err = kind.Up(ctx, options[i])
			return err
		})
	}
	err := g.Wait()
	closed := map[*kind.Cluster]bool{nil: true}
	for _, c := range both {
		if !closed[c] {
			t.Cleanup(func() {
				if closed[c] {
					return
				}
				if err := c.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	configMap(t, both[0], "of-the-first")
	if n := len(keys(t, both[1], "main", "/registry/configmaps/default/of-the-first")); n != 0 {
		t.Error("the second cluster has what was written to the first")
	}
	closed[both[0]] = true
	if err := both[0].Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := kindtest.Left(t, options[0].Ledger.RunID()); len(left) > 0 {
		t.Errorf("left of the first are %v", left)
	}
	if err := acts.AwaitHealthy(within(t, soon), both[1]); err != nil {
		t.Fatal(err)
	}
}
