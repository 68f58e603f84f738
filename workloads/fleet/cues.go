package fleet

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/storm-harness/storm/internal/pace"
)

// What is done to nodes on cue, while Run is under way. A node's heartbeats go
// on at their pace all the while, and find out by themselves that it is silent;
// what it had on the agenda finds that its pod is forgotten.

// errNotUp is the answer to a cue that comes too early or too late.
var errNotUp = errors.New("the fleet is not up, so nothing can be done to its nodes")

// takesCues says from when to when nodes may be stopped and begun on cue.
func (f *Fleet) takesCues(up bool) {
	f.cues.Lock()
	defer f.cues.Unlock()
	f.up = up
}

// Restart restarts the kubelets of nodes and, if proxies is true, their
// kube-proxies, each at an instant of its own within the window, or all at once
// if that is 0. A process that ends drops its watches, its connections where it
// has some of its own, and everything it knew; the one that follows begins anew
// at the same instant. Restart returns when the last has begun, with how many
// open watches were dropped, by the resource's name in the API server's
// metrics. Nodes that are silent stay so.
func (f *Fleet) Restart(ctx context.Context, names []string, within time.Duration, proxies bool) (dropped map[string]int, err error) {
	dropped = map[string]int{}
	sleeper := pace.NewSleeper(ctx, f.env.Clock)
	defer sleeper.Stop()
	begun := f.env.Clock.Now()
	for _, r := range f.spread(f.named(names), within) {
		at := begun + r.after
		if !sleeper.Until(at) {
			return dropped, ctx.Err()
		}
		if err := f.restart(r.node, at, proxies, dropped); err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}

// restart restarts one node.
func (f *Fleet) restart(n *node, at int64, proxies bool, dropped map[string]int) error {
	f.cues.Lock()
	defer f.cues.Unlock()
	switch {
	case !f.up:
		return errNotUp
	case n.silent.Load():
		return nil
	}
	n.stop(proxies, dropped)
	n.begin(at, proxies)
	f.comeBack(n, at, false)
	return nil
}

// due is a node with its time.
type due struct {
	node  *node
	after int64 // ns
}

// spread gives each node an instant within the window, evenly at random, and
// returns them in order of time.
func (f *Fleet) spread(nodes []*node, within time.Duration) []due {
	out := make([]due, len(nodes))
	for i, n := range nodes {
		out[i].node = n
		if within > 0 {
			h := fnv.New64a()
			_, _ = h.Write([]byte(n.name))
			out[i].after = rand.New(rand.NewPCG(uint64(f.env.Seed), h.Sum64())).Int64N(int64(within))
		}
	}
	slices.SortStableFunc(out, func(a, b due) int { return int(a.after - b.after) })
	return out
}

// Silence cuts nodes off: their watches are closed, and they make no request
// until they are woken. What was in flight may still reach the server. It
// returns the time between two renewals of a lease: that long the silence is
// not to be told from a pause.
func (f *Fleet) Silence(names []string) (time.Duration, error) {
	f.cues.Lock()
	defer f.cues.Unlock()
	if !f.up {
		return 0, errNotUp
	}
	for _, n := range f.named(names) {
		n.silent.Store(true)
		n.stop(true, map[string]int{})
	}
	return f.cfg.Heartbeat, nil
}

// Wake has silent nodes begin anew, as after a start of the machine. Nodes that
// are not silent are left alone.
func (f *Fleet) Wake(names []string) error {
	f.cues.Lock()
	defer f.cues.Unlock()
	if !f.up {
		return errNotUp
	}
	now := f.env.Clock.Now()
	for _, n := range f.named(names) {
		if n.silent.CompareAndSwap(true, false) {
			n.begin(now, true)
			f.comeBack(n, now, true)
		}
	}
	return nil
}

// Synced returns how many of the watches that nodes keep for as long as they
// live are open and have seen everything, how many there are to be, and when
// the last of those came to it, in ns since the clock's origin.
func (f *Fleet) Synced(names []string) (synced, total int, last int64) {
	for _, n := range f.named(names) {
		for j := range n.watches {
			total++
			if at, ok := n.watches[j].SyncedAt(); ok {
				synced, last = synced+1, max(last, at)
			}
		}
	}
	return synced, total, last
}
