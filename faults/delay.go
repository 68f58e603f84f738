package faults

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/unit"
)

// LinkDelay holds every packet between members for a time, in both directions,
// as a congested or distant network would.
type LinkDelay struct {
	Shard   string        `yaml:"shard" doc:"the shard; main by default"`
	Between string        `yaml:"between" enum:"leader,all" doc:"leader: the links of the leader; all: every link between members"`
	Delay   unit.Duration `yaml:"delay" required:"true" doc:"how long a packet is held, one way; a round trip takes twice that"`
}

// Check implements acts.Act.
func (f *LinkDelay) Check() []string {
	if f.Delay.D() < time.Millisecond || f.Delay.D() > 10*time.Second {
		return []string{fmt.Sprintf("delay: must lie between 1ms and 10s, is %s", f.Delay)}
	}
	return nil
}

// Describe implements acts.Act.
func (f *LinkDelay) Describe() string {
	which := map[string]string{"leader": "between the leader and the other members", "all": "between all members"}[f.Between]
	return fmt.Sprintf("delay every packet %s of shard %s by %s each way", which, f.Shard, f.Delay)
}

// Needs implements acts.Act.
func (f *LinkDelay) Needs() []clusters.Capability { return []clusters.Capability{clusters.CanLink} }

// roundsAsked is how many reads are timed before and after; their median counts.
const roundsAsked = 5

// Aim implements acts.Act.
func (f *LinkDelay) Aim(ctx context.Context, env *acts.Env) (acts.Aimed, error) {
	links, ok := env.Cluster.(clusters.Linker)
	if !ok {
		return nil, errors.New("this cluster's members have no links that storm can delay")
	}
	v, err := choose(ctx, env, f.Shard, "leader")
	if err != nil {
		return nil, err
	}
	if len(v.shard.Members()) < 2 {
		v.shard.Close()
		return nil, fmt.Errorf("shard %s has one member, so there is no link to delay", v.shard.Name)
	}
	d := &delayed{victim: v, links: links, delay: f.Delay.D()}
	if d.before, err = d.round(ctx); err != nil {
		v.shard.Close()
		return nil, err
	}
	for _, a := range v.shard.Members() {
		for _, b := range v.shard.Members() {
			touches := f.Between == "all" || a.ID() == v.leader.ID() || b.ID() == v.leader.ID()
			if a.ID() != b.ID() && touches {
				d.on = append(d.on, link{a.ID(), b.ID()})
			}
		}
	}
	return d, nil
}

// Inject implements acts.Aimed.
func (d *delayed) Inject(ctx context.Context) error {
	for _, l := range d.on {
		if err := d.links.Delay(ctx, l.from, l.to, d.delay); err != nil {
			return err
		}
	}
	return nil
}

// delayed is a set of links with a delay.
type delayed struct {
	*victim
	links  clusters.Linker
	on     []link
	delay  time.Duration
	before time.Duration
	after  time.Duration
}

// Target implements acts.Aimed. No member is down: recovery is expected of
// all of them.
func (d *delayed) Target() acts.Target {
	return acts.Target{
		Shard: d.shard.Name, Name: fmt.Sprintf("%d links of shard %s", len(d.on), d.shard.Name),
		Facts: map[string]float64{
			"delaySeconds":       d.delay.Seconds(),
			"roundBeforeSeconds": d.before.Seconds(),
			"roundAfterSeconds":  d.after.Seconds(),
		},
	}
}

// round is the median time of a linearizable read at the leader, which needs
// one round trip to a quorum.
func (d *delayed) round(ctx context.Context) (time.Duration, error) {
	var took []time.Duration
	for range roundsAsked {
		rctx, cancel := context.WithTimeout(ctx, 2*time.Second+4*d.delay)
		start := time.Now()
		err := d.shard.Client(d.leader).Health(rctx)
		cancel()
		if err != nil {
			return 0, fmt.Errorf("linearizable read at %s: %w", d.leader.ID(), err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

// Prove implements acts.Aimed: a linearizable read at the leader takes
// longer by most of a round trip of the delay.
func (d *delayed) Prove(ctx context.Context) (string, error) {
	err := acts.Until(ctx, func(ctx context.Context) error {
		var err error
		if d.after, err = d.round(ctx); err != nil {
			return err
		}
		if d.after-d.before < d.delay*3/2 {
			return fmt.Errorf("a linearizable read at the leader takes %s, before %s: not longer by a round trip of the delay", d.after, d.before)
		}
		return nil
	})
	return d.said(), err
}

func (d *delayed) said() string {
	return fmt.Sprintf("a linearizable read at the leader takes %s, before %s",
		d.after.Round(100*time.Microsecond), d.before.Round(100*time.Microsecond))
}

// Heal implements acts.Aimed.
func (d *delayed) Heal(ctx context.Context) error { return mendAll(ctx, d.links, d.on) }

// ProveHealed implements acts.Aimed.
func (d *delayed) ProveHealed(ctx context.Context) (string, error) {
	joined, err := d.shard.AwaitJoined(ctx)
	if err != nil {
		return "", err
	}
	// The delay may have cost the leader its place: the new one is asked.
	if d.leader, _, err = d.shard.Leader(ctx); err != nil {
		return "", err
	}
	var now time.Duration
	err = acts.Until(ctx, func(ctx context.Context) error {
		if now, err = d.round(ctx); err != nil {
			return err
		}
		if now > d.before+d.delay {
			return fmt.Errorf("a linearizable read at the leader still takes %s", now)
		}
		return nil
	})
	if err == nil {
		d.shard.Close()
	}
	return fmt.Sprintf("%s; a linearizable read at the leader takes %s", joined, now.Round(100*time.Microsecond)), err
}
