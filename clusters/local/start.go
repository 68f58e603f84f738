package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/ready"
)

// start starts every component and returns when all of them serve. Members and
// apiservers start at once: an apiserver reads its certificates and builds its
// handlers while the members elect. The rest waits for the apiservers.
func (c *Cluster) start(ctx context.Context) error {
	began := time.Now()
	if err := c.startAll(ctx, began, clusters.KindEtcd, clusters.KindAPIServer); err != nil {
		return err
	}
	return c.startAll(ctx, began, clusters.KindControllerManager, clusters.KindScheduler)
}

// startAll starts the components of some kinds together and waits for all.
func (c *Cluster) startAll(ctx context.Context, began time.Time, kinds ...clusters.Kind) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ready.Patience, fmt.Errorf("the cluster took longer than %s to start", ready.Patience))
	defer cancel()
	return each(ctx, c.handles(kinds...), func(ctx context.Context, h *component) error {
		if err := h.Start(ctx, clusters.Change{}); err != nil {
			return err
		}
		c.o.Sink(clusters.Event{Component: h.id.String(), Text: "starting"})
		if err := h.Ready(ctx); err != nil {
			return err
		}
		c.o.Sink(clusters.Event{Component: h.id.String(), Text: "ready after " + seconds(time.Since(began))})
		return nil
	})
}

// stopAll stops everything at once.
func (c *Cluster) stopAll(ctx context.Context) error {
	return each(ctx, c.handles(), func(ctx context.Context, h *component) error { return h.Stop(ctx, 0) })
}

// handles returns the components of some kinds, of all if none is named.
func (c *Cluster) handles(kinds ...clusters.Kind) []*component {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*component
	for _, h := range c.components {
		if len(kinds) == 0 || slices.Contains(kinds, h.id.Kind) {
			out = append(out, h)
		}
	}
	return out
}

// each does the same to several components at once. The first error ends the
// others and is returned.
func each(ctx context.Context, handles []*component, do func(context.Context, *component) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, h := range handles {
		g.Go(func() error { return do(ctx, h) })
	}
	err := g.Wait()
	if cause := context.Cause(ctx); errors.Is(err, context.Canceled) && cause != nil {
		return cause
	}
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }
