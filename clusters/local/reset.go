package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/fairness"
	"github.com/storm-harness/storm/clusters/layers"
)

// Reset implements clusters.Cluster.
func (c *Cluster) Reset(ctx context.Context, spec clusters.Spec) error {
	return c.ResetTo(ctx, spec, clusters.Population{})
}

// ResetTo implements clusters.Populated. Everything is killed, whatever state it
// is in: an apiserver with open watches would take a minute to end in good
// order. Where the golden copy is still to be made, the trial begins from it all
// the same, as every later one will.
func (c *Cluster) ResetTo(ctx context.Context, spec clusters.Spec, p clusters.Population) error {
	spec = spec.Defaulted()
	if problems := Check(spec); len(problems) > 0 {
		return errors.New("resetting the cluster: " + strings.Join(problems, "; "))
	}
	began := time.Now()
	if err := c.stopAll(ctx); err != nil {
		return fmt.Errorf("resetting the cluster: %w", err)
	}
	if err := c.mendAll(ctx); err != nil {
		return fmt.Errorf("resetting the cluster: %w", err)
	}
	if err := c.adopt(ctx, spec); err != nil {
		return fmt.Errorf("resetting the cluster: %w", err)
	}
	steps := c.layers(p)
	came, err := layers.Climb(ctx, steps, copies{c})
	if err != nil {
		return err
	}
	if came != "" {
		came += ", and "
		began = time.Now() // of going back; making the copies told its own time
		if err := c.stopAll(ctx); err != nil {
			return fmt.Errorf("resetting the cluster: %w", err)
		}
	}
	c.came(came + "back at the golden copy")
	stopped := time.Now()
	if err := c.putBack(ctx, layers.Top(steps)); err != nil {
		return fmt.Errorf("putting the golden copy back: %w", err)
	}
	copied := time.Now()
	if err := c.start(ctx); err != nil {
		return err
	}
	if err := fairness.InForce(ctx, c.Access().REST, c.servers(), spec.Kubernetes, c.o.Sink); err != nil {
		return err
	}
	c.o.Sink(clusters.Event{Text: fmt.Sprintf("back at the golden copy in %s (stop %s, copy %s, start %s)", seconds(time.Since(began)),
		seconds(stopped.Sub(began)), seconds(copied.Sub(stopped)), seconds(time.Since(copied)))})
	return nil
}

// ResetHow says in which way the last reset came about.
func (c *Cluster) ResetHow() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.how
}

func (c *Cluster) came(how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.how = how
}

// putBack replaces the data by the golden copy, and has it on the disk before
// anything starts: the first fsyncs of a trial must not pay for the copy.
func (c *Cluster) putBack(ctx context.Context, key string) error {
	data := filepath.Join(c.o.Dir, dataFolder)
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	if err := c.copyData(ctx, c.goldenDir(key), data); err != nil {
		return err
	}
	d, err := os.Open(data)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}
