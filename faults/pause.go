package faults

import (
	"context"
	"fmt"
	"syscall"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
)

// LeaderPause stops the leader of a shard with SIGSTOP, as a frozen host or a
// long pause would: its connections stay open and nothing answers.
type LeaderPause struct {
	Shard string `yaml:"shard" doc:"the shard whose leader is paused; main by default"`
}

// Check implements acts.Act.
func (f *LeaderPause) Check() []string { return nil }

// Describe implements acts.Act.
func (f *LeaderPause) Describe() string {
	return fmt.Sprintf("pause %s of shard %s (SIGSTOP): its connections stay open, nothing answers", memberText("leader"), f.Shard)
}

// Needs implements acts.Act.
func (f *LeaderPause) Needs() []clusters.Capability {
	return []clusters.Capability{clusters.CanSignal}
}

// Aim implements acts.Act.
func (f *LeaderPause) Aim(ctx context.Context, env *acts.Env) (acts.Aimed, error) {
	v, err := choose(ctx, env, f.Shard, "leader")
	if err != nil {
		return nil, err
	}
	handle, ok := v.member.(clusters.Signaler)
	if !ok {
		v.shard.Close()
		return nil, fmt.Errorf("%s takes no signals on this cluster", v.member.ID())
	}
	return &paused{victim: v, handle: handle}, nil
}

// Inject implements acts.Aimed.
func (p *paused) Inject(ctx context.Context) error { return p.handle.Signal(ctx, syscall.SIGSTOP) }

// paused is a member that is paused.
type paused struct {
	*victim
	handle clusters.Signaler
}

// Target implements acts.Aimed.
func (p *paused) Target() acts.Target { return p.target() }

// Prove implements acts.Aimed: the member answers no more, and where the
// rest has a quorum it follows another leader in a later term.
func (p *paused) Prove(ctx context.Context) (string, error) {
	// A thread that runs on another processor takes the signal a moment later.
	err := acts.Until(ctx, func(ctx context.Context) error {
		if _, err := p.shard.Status(ctx, p.member); err == nil {
			return fmt.Errorf("%s still answers", p.member.ID())
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	silent := fmt.Sprintf("%s does not answer", p.member.ID())
	if !p.quorumWithout() {
		return silent + "; the shard has no quorum without it", nil
	}
	leader, term, err := p.shard.AwaitLeader(ctx, p.member, p.term)
	if err != nil {
		return "", err
	}
	return silent + fmt.Sprintf("; the others follow %s in term %d (before: %d)", leader.ID(), term, p.term), nil
}

// Heal implements acts.Aimed.
func (p *paused) Heal(ctx context.Context) error { return p.handle.Signal(ctx, syscall.SIGCONT) }

// ProveHealed implements acts.Aimed.
func (p *paused) ProveHealed(ctx context.Context) (string, error) {
	said, err := p.shard.AwaitJoined(ctx)
	if err == nil {
		p.shard.Close()
	}
	return said, err
}
