package faults

import (
	"context"
	"fmt"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
)

// LeaderKill kills the leader of a shard with SIGKILL and keeps it down until
// the hold is over.
type LeaderKill struct {
	Shard string `yaml:"shard" doc:"the shard whose leader dies; main by default"`
}

// Check implements acts.Act.
func (f *LeaderKill) Check() []string { return nil }

// Describe implements acts.Act.
func (f *LeaderKill) Describe() string {
	return fmt.Sprintf("kill %s of shard %s (SIGKILL) and keep it down", memberText("leader"), f.Shard)
}

// Needs implements acts.Act.
func (f *LeaderKill) Needs() []clusters.Capability {
	return []clusters.Capability{clusters.CanRestart}
}

// Aim implements acts.Act.
func (f *LeaderKill) Aim(ctx context.Context, env *acts.Env) (acts.Aimed, error) {
	return aimKill(ctx, env, f.Shard, "leader")
}

// MemberKill kills one member of a shard with SIGKILL and keeps it down until
// the hold is over.
type MemberKill struct {
	Shard  string `yaml:"shard" doc:"the shard whose member dies; main by default"`
	Member string `yaml:"member" doc:"leader, follower, or an index from 0; follower by default"`
}

// Check implements acts.Act.
func (f *MemberKill) Check() []string { return checkMember("member", f.Member) }

// Describe implements acts.Act.
func (f *MemberKill) Describe() string {
	return fmt.Sprintf("kill %s of shard %s (SIGKILL) and keep it down", memberText(f.Member), f.Shard)
}

// Needs implements acts.Act.
func (f *MemberKill) Needs() []clusters.Capability {
	return []clusters.Capability{clusters.CanRestart}
}

// Aim implements acts.Act.
func (f *MemberKill) Aim(ctx context.Context, env *acts.Env) (acts.Aimed, error) {
	return aimKill(ctx, env, f.Shard, f.Member)
}

// killed is a member that is killed.
type killed struct {
	*victim
	handle clusters.Restarter
	pid    int
}

func aimKill(ctx context.Context, env *acts.Env, shard, word string) (acts.Aimed, error) {
	v, err := choose(ctx, env, shard, word)
	if err != nil {
		return nil, err
	}
	handle, ok := v.member.(clusters.Restarter)
	if !ok {
		v.shard.Close()
		return nil, fmt.Errorf("%s cannot be restarted on this cluster", v.member.ID())
	}
	return &killed{victim: v, handle: handle, pid: v.member.State().PID}, nil
}

// Inject implements acts.Aimed.
func (k *killed) Inject(ctx context.Context) error { return k.handle.Stop(ctx, 0) }

// Target implements acts.Aimed.
func (k *killed) Target() acts.Target { return k.target() }

// Prove implements acts.Aimed: the process is gone; and where the rest has a
// quorum, its members say that they follow another leader in a later term if
// the leader was hit, or go on in the same one if a follower was.
func (k *killed) Prove(ctx context.Context) (string, error) {
	if st := k.member.State(); st.Running {
		return "", fmt.Errorf("%s still runs as process %d", k.member.ID(), st.PID)
	}
	gone := fmt.Sprintf("process %d of %s is gone (%s)", k.pid, k.member.ID(), k.member.State().Exit)
	if !k.quorumWithout() {
		return gone + "; the shard has no quorum without it", nil
	}
	if !k.leads() {
		return gone + fmt.Sprintf("; %s goes on leading", k.leader.ID()), nil
	}
	leader, term, err := k.shard.AwaitLeader(ctx, k.member, k.term)
	if err != nil {
		return "", err
	}
	return gone + fmt.Sprintf("; the others follow %s in term %d (before: %d)", leader.ID(), term, k.term), nil
}

// Heal implements acts.Aimed.
func (k *killed) Heal(ctx context.Context) error {
	if k.member.State().Running {
		return nil
	}
	if err := k.handle.Start(ctx, clusters.Change{}); err != nil {
		return err
	}
	return k.handle.Ready(ctx)
}

// ProveHealed implements acts.Aimed.
func (k *killed) ProveHealed(ctx context.Context) (string, error) {
	said, err := k.shard.AwaitJoined(ctx)
	if err == nil {
		k.shard.Close()
	}
	return said, err
}
