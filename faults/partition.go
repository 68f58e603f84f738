package faults

import (
	"context"
	"errors"
	"fmt"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
)

// Partition cuts one member off from the others: packets between their hosts
// are dropped in silence. Clients still reach every member.
type Partition struct {
	Shard     string `yaml:"shard" doc:"the shard; main by default"`
	Isolate   string `yaml:"isolate" doc:"leader, follower, or an index from 0; leader by default"`
	Direction string `yaml:"direction" enum:"both,in,out" doc:"which packets of the isolated member are dropped: all, those to it, or those from it; both by default"`
}

// Check implements acts.Act.
func (f *Partition) Check() []string { return checkMember("isolate", f.Isolate) }

// Describe implements acts.Act.
func (f *Partition) Describe() string {
	which := map[string]string{"both": "drop every packet", "in": "drop every packet to it", "out": "drop every packet from it"}[f.Direction]
	return fmt.Sprintf("cut %s of shard %s off from the other members (%s, silently); clients still reach it", memberText(f.Isolate), f.Shard, which)
}

// Needs implements acts.Act.
func (f *Partition) Needs() []clusters.Capability { return []clusters.Capability{clusters.CanLink} }

// Aim implements acts.Act.
func (f *Partition) Aim(ctx context.Context, env *acts.Env) (acts.Aimed, error) {
	links, ok := env.Cluster.(clusters.Linker)
	if !ok {
		return nil, errors.New("this cluster's members have no links that storm can cut")
	}
	v, err := choose(ctx, env, f.Shard, f.Isolate)
	if err != nil {
		return nil, err
	}
	p := &partitioned{victim: v, links: links}
	me := v.member.ID()
	for _, other := range v.shard.Others(v.member) {
		if f.Direction != "out" {
			p.cut = append(p.cut, link{other.ID(), me})
		}
		if f.Direction != "in" {
			p.cut = append(p.cut, link{me, other.ID()})
		}
	}
	return p, nil
}

// Inject implements acts.Aimed.
func (p *partitioned) Inject(ctx context.Context) error {
	for _, l := range p.cut {
		if err := p.links.Cut(ctx, l.from, l.to); err != nil {
			return err
		}
	}
	return nil
}

// link is one direction between two hosts.
type link struct{ from, to clusters.ID }

func (l link) String() string { return l.from.String() + " → " + l.to.String() }

// partitioned is a member that is cut off.
type partitioned struct {
	*victim
	links clusters.Linker
	cut   []link
}

// Target implements acts.Aimed.
func (p *partitioned) Target() acts.Target {
	t := p.target()
	t.Name += " from the others"
	return t
}

// Prove implements acts.Aimed: packets were seen dropped on every link that
// was cut; if the leader was cut off the others follow a new one; if a follower
// was, it says itself that it has lost its leader.
func (p *partitioned) Prove(ctx context.Context) (string, error) {
	var dropped uint64
	err := acts.Until(ctx, func(ctx context.Context) error {
		dropped = 0
		for _, l := range p.cut {
			n, err := p.links.Dropped(ctx, l.from, l.to)
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("no packet %s was dropped", l)
			}
			dropped += n
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	seen := fmt.Sprintf("%d packets dropped on %d links", dropped, len(p.cut))
	if p.leads() && p.quorumWithout() {
		leader, term, err := p.shard.AwaitLeader(ctx, p.member, p.term)
		if err != nil {
			return "", err
		}
		return seen + fmt.Sprintf("; the others follow %s in term %d (before: %d)", leader.ID(), term, p.term), nil
	}
	err = acts.Until(ctx, func(ctx context.Context) error {
		st, err := p.shard.Status(ctx, p.member)
		if err == nil && st.Leader != 0 {
			return fmt.Errorf("%s still has a leader", p.member.ID())
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return seen + fmt.Sprintf("; %s says that it has no leader", p.member.ID()), nil
}

// Heal implements acts.Aimed.
func (p *partitioned) Heal(ctx context.Context) error { return mendAll(ctx, p.links, p.cut) }

// ProveHealed implements acts.Aimed.
func (p *partitioned) ProveHealed(ctx context.Context) (string, error) {
	said, err := p.shard.AwaitJoined(ctx)
	if err == nil {
		p.shard.Close()
	}
	return said, err
}

// mendAll mends every link, and goes on where one fails.
func mendAll(ctx context.Context, links clusters.Linker, cut []link) error {
	var errs []error
	for _, l := range cut {
		if err := links.Mend(ctx, l.from, l.to); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", l, err))
		}
	}
	return errors.Join(errs...)
}
