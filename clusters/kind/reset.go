package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/fairness"
	"github.com/storm-harness/storm/clusters/layers"
	"github.com/storm-harness/storm/clusters/ready"
	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/internal/ledger"
)

// Reset implements clusters.Cluster.
func (c *Cluster) Reset(ctx context.Context, spec clusters.Spec) error {
	return c.ResetTo(ctx, spec, clusters.Population{})
}

// ResetTo implements clusters.Populated. Where there is a golden copy of the spec's
// topology, the nodes' containers stay: what runs in them, their kubelets
// included, and the members end, the data goes back, and new ones start. Otherwise
// the whole cluster is made anew, and so is one where that failed: a node may have
// died, or hang. Who wants to look at what failed has it left as it is.
func (c *Cluster) ResetTo(ctx context.Context, spec clusters.Spec, p clusters.Population) (err error) {
	spec = spec.Defaulted()
	if problems := Check(spec); len(problems) > 0 {
		return errors.New("resetting the cluster: " + strings.Join(problems, "; "))
	}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.broken = err != nil && ctx.Err() == nil
	}()
	err = c.reset(ctx, spec, p, false)
	var failed *inPlaceError
	if !errors.As(err, &failed) || ctx.Err() != nil || c.o.Retain {
		return err
	}
	c.o.Sink(clusters.Event{Tell: true, Text: fmt.Sprintf("the cluster is made anew, since a reset in place failed: %v", failed)})
	if err := c.reset(ctx, spec, p, true); err != nil {
		return fmt.Errorf("making the cluster anew, since a reset in place failed (%w): %w", failed, err)
	}
	return nil
}

// inPlaceError is why the containers that there are could not be used again.
type inPlaceError struct{ error }

func (e *inPlaceError) Unwrap() error { return e.error }

// reset is ResetTo in place where that can be, and otherwise, or with anew, not.
func (c *Cluster) reset(ctx context.Context, spec clusters.Spec, p clusters.Population, anew bool) error {
	began := time.Now()
	if anew {
		c.writeOff()
	} else if err := c.standStill(ctx); err != nil {
		return &inPlaceError{fmt.Errorf("resetting the cluster: %w", err)}
	}
	if err := c.adopt(ctx, spec); err != nil {
		return fmt.Errorf("resetting the cluster: %w", err)
	}
	steps := c.layers(p)
	if anew {
		steps[0].Came = "made anew, since a reset in place failed"
	}
	inPlace := copies{c}.Has(steps[0].Key)
	how, err := layers.Climb(ctx, steps, copies{c})
	if err != nil {
		return explained(err)
	}
	if how == "" {
		how = "back at the golden copy in place"
	} else {
		// Every trial's servers start from a golden copy, with all objects there.
		how += ", and back at the golden copy"
		if err := c.stopAll(ctx); err != nil {
			return fmt.Errorf("resetting the cluster: %w", err)
		}
	}
	stopped := time.Now()
	if err := c.putBack(ctx, layers.Top(steps)); err != nil {
		return fmt.Errorf("putting the golden copy back: %w", err)
	}
	copied := time.Now()
	if err := c.startAgain(ctx, copied); err != nil {
		if inPlace {
			err = &inPlaceError{err}
		}
		return err
	}
	if err := fairness.InForce(ctx, c.Access().REST, c.servers(), spec.Kubernetes, c.o.Sink); err != nil {
		return err
	}
	c.mu.Lock()
	c.how = how
	c.mu.Unlock()
	c.o.Sink(clusters.Event{Text: fmt.Sprintf("%s, in %s (copy %s, start %s)", how, seconds(time.Since(began)), seconds(copied.Sub(stopped)), seconds(time.Since(copied)))})
	return nil
}

// standStill makes all links whole, and ends everything.
func (c *Cluster) standStill(ctx context.Context) error {
	mending, cancel := context.WithTimeoutCause(ctx, ready.Patience, fmt.Errorf("the links took longer than %s to mend", ready.Patience))
	defer cancel()
	if err := c.mendAll(mending); err != nil {
		return err
	}
	return c.stopAll(ctx)
}

// writeOff has the cluster be made from nothing by the next climb. That its members
// end by that is as wanted, in whatever state they are.
func (c *Cluster) writeOff() {
	for _, m := range c.allMembers() {
		if m, ok := m.(*member); ok {
			m.asked()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.goldens, c.touched = map[string]bool{}, map[[2]clusters.ID]bool{} // links go with their ends
}

// ResetHow says in which way the last reset came about.
func (c *Cluster) ResetHow() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.how
}

// stopAll ends every member, and every kubelet with all that it runs, whatever
// state they are in. A node that hangs answers nothing, so that is not waited for
// for good.
func (c *Cluster) stopAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ready.Patience, fmt.Errorf("the cluster took longer than %s to stop", ready.Patience))
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		return each(ctx, c.allMembers(), func(ctx context.Context, m etcdMember) error { return m.Stop(ctx, 0) })
	})
	g.Go(func() error {
		return each(ctx, c.everyNode(), func(ctx context.Context, n *node) error { return n.stop(ctx) })
	})
	return g.Wait()
}

// stop ends the node's kubelet and all pods.
func (n *node) stop(ctx context.Context) error {
	parts := n.allParts()
	var pids strings.Builder
	for _, p := range parts {
		p.mu.Lock()
		p.asking(syscall.SIGKILL)
		p.down = true
		if p.process.inner != 0 {
			fmt.Fprintf(&pids, " %d", p.process.inner)
		}
		p.mu.Unlock()
	}
	script := "systemctl stop kubelet; "
	for _, id := range n.ids {
		script += fmt.Sprintf("rm -f %s/%s.yaml; ", manifestsDir, nameIn(id))
	}
	if pids.Len() > 0 {
		script += "kill -9" + pids.String() + " 2>/dev/null; "
	}
	if out, err := n.run(ctx, script+"crictl --timeout 30s rmp --all --force 2>&1"); err != nil {
		return fmt.Errorf("node %s: ending its pods: %w: %s", n.name, err, out)
	}
	for _, p := range parts {
		if err := p.await(ctx, func(s clusters.State) bool { return !s.Running }); err != nil {
			return err
		}
	}
	return nil
}

// remove takes away all that a cluster consists of, but its certificates.
func (c *Cluster) remove(ctx context.Context) error {
	c.closeNodes()
	c.mu.Lock()
	cutShort := c.forerunners
	c.forerunners = nil
	c.mu.Unlock()
	for _, m := range cutShort {
		m.asked()
	}
	if _, _, err := docker.RemoveOwned(ctx, c.o.Ledger.RunID(), c.name); err != nil {
		return err
	}
	if err := c.o.Ledger.Undo(ledger.Containers, c.name); err != nil {
		return err
	}
	c.mu.Lock()
	c.nodes, c.workers, c.parts, c.goldens = nil, nil, nil, map[string]bool{}
	c.mu.Unlock()
	return errors.Join(os.RemoveAll(filepath.Join(c.o.Dir, dataFolder)), os.RemoveAll(filepath.Join(c.o.Dir, goldenFolder)))
}
