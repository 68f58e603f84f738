//go:build cluster

package runner_test

import (
	"context"
	"testing"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/local"
	"github.com/storm-harness/storm/clusters/local/localtest"
	"github.com/storm-harness/storm/scenarios/runner"
)

func TestMain(m *testing.M) { localtest.Main(m) }

// sets are laid over every scenario.
var sets = []string{"cluster.provider=local"}

// provider starts clusters, and says whose run they are.
func provider(t *testing.T) (up runner.Up, id string) {
	o := localtest.Options(t, clusters.Spec{})
	return func(ctx context.Context, spec clusters.Spec, logs string, sink clusters.Sink, exited func(clusters.ID, string)) (clusters.Cluster, error) {
		o.Spec, o.LogDir, o.Sink, o.Exited = spec, logs, sink, exited
		return local.Up(ctx, o)
	}, o.Ledger.RunID()
}
