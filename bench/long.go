package main

import (
	"context"
	"fmt"
	"strings"
)

// soak compares the second half of a long run with the first.
func (b *bench) soak(ctx context.Context) error {
	r, err := b.fleet(ctx, b.nodes, false, b.soakFor)
	if err != nil {
		return err
	}
	first, second := r.storm.halves()
	b.add(row{
		Row: "i", What: fmt.Sprintf("storm's memory, second half of %s against the first, %d nodes", b.soakFor, b.nodes),
		Storm: fmt.Sprintf("%s → %s (%+.1f %%)", mb(first), mb(second), 100*(second/first-1)), HeldTo: "unchanged",
		Peer:    fmt.Sprintf("%.3f %% of the leases on time meanwhile: %s; %s%s", 100*r.tally.share(r.due), r.tally.lateness(), r.tally.failures(), r.without()),
		Figures: map[string]float64{"first.bytes": first, "second.bytes": second, "most.bytes": r.storm.Most, "share": r.tally.share(r.due)},
	})
	return nil
}

// enough is the share of leases that a fleet must renew on time to hold.
const enough = 0.999

// search finds the largest of the sizes that holds: it ends with the first
// that does not.
func (b *bench) search(ctx context.Context) error {
	best, figures := 0, map[string]float64{}
	var seen []string
	for _, nodes := range b.sizes {
		r, err := b.fleet(ctx, nodes, false, b.span)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil { // a fleet that does not come up does not hold
			seen = append(seen, fmt.Sprintf("%d: %v", nodes, err))
			break
		}
		share := r.tally.share(r.due)
		figures[fmt.Sprintf("share.%d", nodes)] = share
		found := fmt.Sprintf("%d: %.3f %% (%s)%s", nodes, 100*share, r.tally.lateness(), r.without())
		seen = append(seen, found)
		b.say("leases on time, by nodes: %s", found)
		if share < enough || len(r.died) > 0 { // what its control plane does not outlive does not hold
			break
		}
		best = nodes
	}
	figures["largest"] = float64(best)
	b.add(row{
		Row: "j", What: fmt.Sprintf("the largest fleet with 99.9 %% of its leases on time for %s", b.span),
		Storm: fmt.Sprintf("%d nodes", best), Peer: strings.Join(seen, "; "), HeldTo: "10,000 is the aim", Figures: figures,
	})
	return nil
}
