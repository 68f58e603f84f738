package operations

import (
	"context"

	"github.com/storm-harness/storm/acts"
)

// done is an operation that leaves nothing to put back: it proves what it did,
// and is over when the cluster is whole.
type done struct {
	env    *acts.Env
	target acts.Target
	do     func(ctx context.Context, d *done) error // it may add to the target's facts
	prove  func(ctx context.Context) (string, error)
	// unwell is true where the operation is one step of a repair, after which
	// the cluster need not be whole yet.
	unwell bool
}

// Target implements acts.Aimed.
func (d *done) Target() acts.Target { return d.target }

// Inject implements acts.Aimed.
func (d *done) Inject(ctx context.Context) error { return d.do(ctx, d) }

// Prove implements acts.Aimed.
func (d *done) Prove(ctx context.Context) (string, error) { return d.prove(ctx) }

// Heal implements acts.Aimed.
func (d *done) Heal(context.Context) error { return nil }

// ProveHealed implements acts.Aimed.
func (d *done) ProveHealed(ctx context.Context) (string, error) {
	if d.unwell {
		return "", nil
	}
	if err := acts.AwaitHealthy(ctx, d.env.Cluster); err != nil {
		return "", err
	}
	return acts.Whole(d.env.Cluster), nil
}
