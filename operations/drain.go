package operations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/unit"
)

// Drain takes nodes of a fleet out of service and puts them back, some at a
// time, as an upgrade of the nodes does: cordon, evict every pod, wait until
// they are gone, uncordon, the next.
type Drain struct {
	Fleet   string        `yaml:"fleet" doc:"the name of a workload of the kind nodes; may be left out where there is one"`
	Share   unit.Percent  `yaml:"share" doc:"share of its nodes, drawn by the seed; 10% by default"`
	AtOnce  int           `yaml:"atOnce" min:"1" max:"1000" doc:"how many nodes are drained at the same time; 1 by default"`
	Force   bool          `yaml:"force" doc:"whether pods are evicted that no controller makes anew; without it such a pod is an error, as with kubectl drain"`
	Timeout unit.Duration `yaml:"timeout" min:"1s" doc:"how long one node may take; 5m by default"`
}

// Check implements acts.Act.
func (o *Drain) Check() []string {
	var problems []string
	if o.Share <= 0 || o.Share > 1 {
		problems = append(problems, fmt.Sprintf("share: %s is not above 0%% and at most 100%%", o.Share))
	}
	if o.AtOnce < 1 || o.AtOnce > 1000 {
		problems = append(problems, fmt.Sprintf("atOnce: %d is not between 1 and 1000", o.AtOnce))
	}
	if o.Timeout.D() < time.Second {
		problems = append(problems, fmt.Sprintf("timeout: %s is below the limit of 1s", o.Timeout))
	}
	return problems
}

// Describe implements acts.Act.
func (o *Drain) Describe() string {
	s := fmt.Sprintf("drain %s of the nodes", o.Share)
	if o.Fleet != "" {
		s += " of " + o.Fleet
	}
	return fmt.Sprintf("%s, %d at a time: cordon, evict their pods, wait until they are gone, uncordon", s, o.AtOnce)
}

// Needs implements acts.Act.
func (o *Drain) Needs() []clusters.Capability { return nil }

// Aim implements acts.Act.
func (o *Drain) Aim(_ context.Context, env *acts.Env) (acts.Aimed, error) {
	fleet, err := env.Fleet(o.Fleet)
	if err != nil {
		return nil, err
	}
	d := &drained{Drain: *o, env: env, nodes: fleet.Choose(env.Act, o.Share.Fraction(), 0), cordoned: map[string]bool{}, facts: map[string]float64{}}
	if len(d.nodes) == 0 {
		return nil, errors.New("there is no node to drain")
	}
	kube, err := acts.Kube(env.Cluster)
	d.api = drainAPI{kube}
	return d, err
}

// drained is nodes that are drained.
type drained struct {
	Drain
	env   *acts.Env
	api   drainAPI
	nodes []string

	mu       sync.Mutex
	cordoned map[string]bool // and not uncordoned yet
	facts    map[string]float64
	took     []time.Duration // a node each
	evicted  int
	left     int // pods that stay, as those of DaemonSets
	refused  int // evictions that a PodDisruptionBudget put off
}

// Target implements acts.Aimed.
func (d *drained) Target() acts.Target {
	return acts.Target{Name: unit.Count(len(d.nodes), "node"), Facts: d.facts}
}

// Inject implements acts.Aimed: it lasts as long as the rolling drain.
func (d *drained) Inject(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(d.AtOnce)
	for _, name := range d.nodes {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := d.node(ctx, name); err != nil {
				return fmt.Errorf("node %s: %w", name, err)
			}
			return nil
		})
	}
	err := g.Wait()
	d.sum()
	return err
}

// node drains one node and puts it back.
func (d *drained) node(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, d.Timeout.D(), fmt.Errorf("not drained within %s", d.Timeout))
	defer cancel()
	began := time.Now()
	d.note(func() { d.cordoned[name] = true })
	if err := d.api.cordon(ctx, name, true); err != nil {
		return err
	}
	pods, left, err := d.api.evictable(ctx, name, d.Force)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	for i := range pods {
		g.Go(func() error {
			taken, refused, err := d.api.evict(gctx, &pods[i])
			d.note(func() {
				d.refused += refused
				if taken {
					d.evicted++
				}
			})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return because(ctx, err)
	}
	if err := d.api.awaitGone(ctx, name, pods); err != nil {
		return because(ctx, err)
	}
	if err := d.api.cordon(ctx, name, false); err != nil {
		return because(ctx, err)
	}
	d.note(func() {
		delete(d.cordoned, name)
		d.took = append(d.took, time.Since(began))
		d.left += left
		if len(d.nodes) <= shown {
			d.facts["seconds."+name] = time.Since(began).Seconds()
		}
	})
	return nil
}

// because adds to an error that a node's time was up, if it was.
func because(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%w: %w", context.Cause(ctx), err)
}

func (d *drained) note(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do()
}

// shown is for how many nodes the time of each is among the facts; for more,
// the least, the median and the most say it.
const shown = 20

// sum computes the facts.
func (d *drained) sum() {
	d.facts["nodes"], d.facts["pods.evicted"] = float64(len(d.took)), float64(d.evicted)
	d.facts["pods.left"], d.facts["evictions.refused"] = float64(d.left), float64(d.refused)
	if n := len(d.took); n > 0 {
		slices.Sort(d.took)
		d.facts["seconds.least"], d.facts["seconds.most"] = d.took[0].Seconds(), d.took[n-1].Seconds()
		d.facts["seconds.median"] = d.took[n/2].Seconds()
	}
}

// Prove implements acts.Aimed: what the API server showed of the pods, node by
// node, while it was done.
func (d *drained) Prove(context.Context) (string, error) {
	if d.evicted == 0 {
		return "", fmt.Errorf("the API server has no pod on any of the %s that could be evicted: put some there, by a load such as deployments",
			unit.Count(len(d.nodes), "node"))
	}
	return fmt.Sprintf("the API server took the evictions of %s on %s, and had none of them left before each node was uncordoned; the slowest node took %.1fs",
		unit.Count(d.evicted, "pod"), unit.Count(len(d.took), "node"), d.facts["seconds.most"]), nil
}

// Heal implements acts.Aimed: nodes that the drain did not come to the end of
// are uncordoned.
func (d *drained) Heal(ctx context.Context) error {
	var errs []error
	for name := range d.cordoned {
		if err := d.api.cordon(ctx, name, false); err != nil {
			errs = append(errs, fmt.Errorf("uncordon %s: %w", name, err))
			continue
		}
		delete(d.cordoned, name)
	}
	return errors.Join(errs...)
}

// ProveHealed implements acts.Aimed: the nodes take pods again, and the cluster
// is whole.
func (d *drained) ProveHealed(ctx context.Context) (string, error) {
	if err := d.api.awaitSchedulable(ctx, d.nodes); err != nil {
		return "", err
	}
	if err := acts.AwaitHealthy(ctx, d.env.Cluster); err != nil {
		return "", err
	}
	return "all the nodes take pods again; " + acts.Whole(d.env.Cluster), nil
}
