package operations

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
)

// Disarm clears the alarms of a shard. Without compaction and defragmentation
// before it, the next write raises NOSPACE again.
type Disarm struct {
	Shard string `yaml:"shard" doc:"a shard's name, or all; main by default"`
}

// Check implements acts.Act.
func (o *Disarm) Check() []string { return nil }

// Describe implements acts.Act.
func (o *Disarm) Describe() string {
	return fmt.Sprintf("disarm the alarms of %s", acts.ShardText(o.Shard))
}

// Needs implements acts.Act.
func (o *Disarm) Needs() []clusters.Capability { return []clusters.Capability{clusters.CanEtcd} }

// Aim implements acts.Act.
func (o *Disarm) Aim(_ context.Context, env *acts.Env) (acts.Aimed, error) {
	var cleared []string
	do := func(ctx context.Context, _ *done) error {
		err := onShards(env, o.Shard, func(s *acts.Shard) error {
			alarms, err := s.Disarm(ctx)
			cleared = append(cleared, alarms...)
			return err
		})
		if err == nil && len(cleared) == 0 {
			return errors.New("no alarm was raised, so there was nothing to disarm")
		}
		return err
	}
	prove := func(ctx context.Context) (string, error) {
		if err := onShards(env, o.Shard, func(s *acts.Shard) error { return staysDisarmed(ctx, s) }); err != nil {
			return "", err
		}
		return "cleared " + strings.Join(cleared, ", ") + "; etcd takes a write, and the alarm list stays empty", nil
	}
	return &done{env: env, target: acts.Target{Shard: o.Shard, Name: "shard " + o.Shard}, do: do, prove: prove}, nil
}

// staysDisarmed writes once to etcd and then looks at the alarm list: where
// the cause is still there, that write raises the alarm again.
func staysDisarmed(ctx context.Context, s *acts.Shard) error {
	leader, _, err := s.Led(ctx)
	if err != nil {
		return err
	}
	if _, err := s.Client(leader).Put(ctx, "/storm/disarm", "written to see whether the alarm comes back"); err != nil {
		return fmt.Errorf("a write after disarming: %w", err)
	}
	alarms, err := s.Alarms(ctx)
	if err != nil {
		return err
	}
	if len(alarms) > 0 {
		return fmt.Errorf("the alarm list has %s again: compact and defragment before disarming", strings.Join(alarms, ", "))
	}
	return nil
}
