package workloads

import (
	"context"
	"errors"
	"time"
)

// What acts do to the nodes while the load is on: the methods of acts.Fleet, by
// which a fault or an operation reaches the load of that name.

var errNoFleet = errors.New("the nodes are not registered: the load has not been prepared")

// Choose returns the names of some nodes, in order; see fleet.Fleet.Choose.
func (n *Nodes) Choose(word string, share float64, rack int) []string {
	if n.fleet == nil {
		return nil
	}
	return n.fleet.Choose(word, share, rack)
}

// Restart restarts nodes' kubelets and, if asked to, their kube-proxies; see
// fleet.Fleet.Restart.
func (n *Nodes) Restart(ctx context.Context, nodes []string, within time.Duration, proxies bool) (map[string]int, error) {
	if n.fleet == nil {
		return nil, errNoFleet
	}
	return n.fleet.Restart(ctx, nodes, within, proxies)
}

// Silence cuts nodes off; see fleet.Fleet.Silence.
func (n *Nodes) Silence(nodes []string) (time.Duration, error) {
	if n.fleet == nil {
		return 0, errNoFleet
	}
	return n.fleet.Silence(nodes)
}

// Wake has silent nodes begin anew; see fleet.Fleet.Wake.
func (n *Nodes) Wake(nodes []string) error {
	if n.fleet == nil {
		return errNoFleet
	}
	return n.fleet.Wake(nodes)
}

// Synced returns how many of the nodes' watches are up; see
// fleet.Fleet.Synced.
func (n *Nodes) Synced(nodes []string) (synced, total int, last int64) {
	if n.fleet == nil {
		return 0, 0, 0
	}
	return n.fleet.Synced(nodes)
}
