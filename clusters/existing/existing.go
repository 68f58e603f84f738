// Package existing loads and measures a cluster that storm did not make. storm
// changes nothing of it but by objects that bear the run's label, and removes
// those: what it cannot see it does not claim, and what is not its own it does
// not break.
package existing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/remains"
	"github.com/storm-harness/storm/internal/rundir"
)

// Options say which cluster to use, and for what.
type Options struct {
	Target Target
	Spec   clusters.Spec
	Ledger *ledger.Ledger // of the run; its id is the objects' label
	Sink   clusters.Sink  // nil for none
}

// Target is the cluster, and what a run wants of it. It comes from the command
// line alone: no file that somebody else wrote makes storm touch a cluster.
type Target struct {
	Kubeconfig string // a file; empty for those that kubectl reads
	Context    string // must be named
	Etcd       []Shard
	EtcdTLS    Files
	Fleet      int      // simulated nodes of the run; 0 for none
	Names      []string // what the names of the run's objects are or begin with
}

// Shard is the members of one etcd cluster, by their client URLs.
type Shard struct {
	Name      string
	Endpoints []string
}

// Files are a client certificate for etcd, and whom to trust; paths.
type Files struct{ CA, Cert, Key string }

// Cluster is a cluster in use.
type Cluster struct {
	o     Options
	seen  *Seen
	found *remains.Cluster

	mu   sync.Mutex
	spec clusters.Spec
}

var _ clusters.Cluster = (*Cluster)(nil)

// Patience bounds how long a cluster is waited for to be rid of what a trial
// made: its namespaces are emptied kind by kind, by its own controllers.
const Patience = 10 * time.Minute

// Up looks whether the cluster can be used, and claims it for the run: two runs
// at a time would meet in the names of their objects.
func Up(ctx context.Context, o Options) (*Cluster, error) {
	if o.Sink == nil {
		o.Sink = clusters.Discard
	}
	if wrong := Check(o.Spec); len(wrong) > 0 {
		return nil, errors.New(wrong[0])
	}
	o.Sink(clusters.Event{Text: "looking at the cluster of the context " + o.Target.Context})
	seen, err := Look(ctx, o.Target, o.Ledger.RunID())
	if err != nil {
		return nil, err
	}
	if err := seen.Err(); err != nil {
		return nil, err
	}
	c := &Cluster{o: o, seen: seen, spec: o.Spec.Defaulted()}
	if c.found, err = remains.Open(seen.config); err != nil {
		return nil, err
	}
	if err := o.Ledger.IntendObjects(seen.place); err != nil {
		return nil, err
	}
	if err := c.claim(ctx); err != nil {
		return nil, errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}
	o.Sink(clusters.Event{Text: seen.String()})
	return c, nil
}

// Spec implements clusters.Cluster: nothing is set in it, since nothing can be.
func (c *Cluster) Spec() clusters.Spec {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spec
}

// Components implements clusters.Cluster: what the cluster shows of itself.
func (c *Cluster) Components() []clusters.Component {
	out := make([]clusters.Component, len(c.seen.components))
	for i, comp := range c.seen.components {
		out[i] = comp
	}
	return out
}

// Access implements clusters.Cluster.
func (c *Cluster) Access() clusters.Access {
	a := clusters.Access{Kubeconfig: c.seen.place.Kubeconfig[0], REST: c.seen.config, EtcdReadOnly: true, RealNodes: true}
	if c.seen.etcdTLS != nil {
		a.EtcdTLS = c.seen.etcdTLS.Clone()
	}
	return a
}

// Reset implements clusters.Cluster: it removes what the trial before made. The
// cluster itself is what it has become.
func (c *Cluster) Reset(ctx context.Context, spec clusters.Spec) error {
	if wrong := Check(spec); len(wrong) > 0 {
		return errors.New(wrong[0])
	}
	c.mu.Lock()
	c.spec = spec.Defaulted()
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	_, err := c.found.Remove(ctx, c.o.Ledger.RunID(), isClaim, c.tell)
	return err
}

// tell says how much is left to be removed.
func (c *Cluster) tell(left int) {
	c.o.Sink(clusters.Event{Text: fmt.Sprintf("removing what storm made: %d objects left, and what is in their namespaces", left)})
}

// Close implements clusters.Cluster: it removes everything that the run made,
// and waits until it is gone.
func (c *Cluster) Close(ctx context.Context) error {
	if _, err := c.found.Remove(ctx, c.o.Ledger.RunID(), nil, c.tell); err != nil {
		return fmt.Errorf("%s: %w", c.seen.place, err)
	}
	return c.o.Ledger.Undo(ledger.Objects, c.seen.place.String())
}

// Parting is how long Close may take.
func (c *Cluster) Parting() time.Duration { return Patience }

// Provenance says what runs, as far as it says so itself.
func (c *Cluster) Provenance() []rundir.Provenance { return c.seen.provenance }

// Observed is the topology as it was seen, and what that limits.
func (c *Cluster) Observed() (rundir.Topology, []string) { return c.seen.topology(), c.seen.limits() }

// component is the handle of a component: it can be asked, and no more.
type component struct {
	id        clusters.ID
	endpoints clusters.Endpoints
}

// ID implements clusters.Component.
func (c *component) ID() clusters.ID { return c.id }

// State implements clusters.Component. No process is seen from here; whether it
// serves is what the probes tell.
func (c *component) State() clusters.State { return clusters.State{Running: true} }

// Endpoints implements clusters.Component.
func (c *component) Endpoints() clusters.Endpoints { return c.endpoints }

// Log implements clusters.Component: it is not shown.
func (c *component) Log() string { return "" }
