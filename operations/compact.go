package operations

import (
	"context"
	"fmt"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
)

// Compact drops the history of a shard up to its present revision, and waits
// until the backend has let go of it (physical).
type Compact struct {
	Shard string `yaml:"shard" doc:"a shard's name, or all; main by default"`
}

// Check implements acts.Act.
func (o *Compact) Check() []string { return nil }

// Describe implements acts.Act.
func (o *Compact) Describe() string {
	return fmt.Sprintf("compact the history of %s up to its present revision", acts.ShardText(o.Shard))
}

// Needs implements acts.Act.
func (o *Compact) Needs() []clusters.Capability { return []clusters.Capability{clusters.CanEtcd} }

// Aim implements acts.Act.
func (o *Compact) Aim(_ context.Context, env *acts.Env) (acts.Aimed, error) {
	facts, revisions := map[string]float64{}, map[string]int64{}
	do := func(ctx context.Context, _ *done) error {
		return onShards(env, o.Shard, func(s *acts.Shard) error {
			rev, err := s.Compact(ctx)
			revisions[s.Name], facts["revision."+s.Name] = rev, float64(rev)
			return err
		})
	}
	prove := func(ctx context.Context) (string, error) {
		if err := onShards(env, o.Shard, func(s *acts.Shard) error {
			// A follower comes to it a moment later.
			return acts.Until(ctx, func(ctx context.Context) error { return historyGone(ctx, s, revisions[s.Name]) })
		}); err != nil {
			return "", err
		}
		return fmt.Sprintf("a read of an older revision is answered with \"compacted\" (%s)", listed(revisions, "revision")), nil
	}
	return &done{env: env, target: acts.Target{Shard: o.Shard, Name: "shard " + o.Shard, Facts: facts}, do: do, prove: prove, unwell: true}, nil
}

// historyGone asks every member for a revision below rev.
func historyGone(ctx context.Context, s *acts.Shard, rev int64) error {
	for _, m := range s.Members() {
		gone, err := s.Client(m).Compacted(ctx, rev-1)
		if err != nil {
			return fmt.Errorf("%s: %w", m.ID(), err)
		}
		if !gone {
			return fmt.Errorf("%s still has revision %d", m.ID(), rev-1)
		}
	}
	return nil
}
