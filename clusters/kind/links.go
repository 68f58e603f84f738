package kind

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/docker"
)

// A link is cut or delayed in the network namespaces of the two containers. The
// supervisor enters them; it learns anew which they are at each change, since a
// container that was started again has another.

// Cut implements clusters.Linker.
func (c *Cluster) Cut(ctx context.Context, from, to clusters.ID) error {
	return c.linked(ctx, from, to, func(from, to string) error { return c.supervisor.Cut(ctx, from, to) })
}

// Delay implements clusters.Linker.
func (c *Cluster) Delay(ctx context.Context, from, to clusters.ID, d time.Duration) error {
	return c.linked(ctx, from, to, func(from, to string) error { return c.supervisor.Delay(ctx, from, to, d) })
}

// Mend implements clusters.Linker.
func (c *Cluster) Mend(ctx context.Context, from, to clusters.ID) error {
	return c.linked(ctx, from, to, func(from, to string) error { return c.supervisor.Mend(ctx, from, to) })
}

// Dropped implements clusters.Linker.
func (c *Cluster) Dropped(ctx context.Context, from, to clusters.ID) (n uint64, err error) {
	a, err := c.hostOf(from)
	if err != nil {
		return 0, err
	}
	b, err := c.hostOf(to)
	if err != nil {
		return 0, err
	}
	return c.supervisor.Dropped(ctx, a.container, b.container)
}

// host is a container with a network of its own.
type host struct {
	container string
	addr      netip.Addr
}

// hostOf is the host that a component runs on: a member's own container, or the
// node of the others, which is cut off as a whole.
func (c *Cluster) hostOf(id clusters.ID) (host, error) {
	for _, m := range c.allMembers() {
		if at := m.home(); at.id == id {
			return host{at.box, at.addr}, nil
		}
	}
	for _, p := range c.partsOf() {
		if p.id == id {
			return host{p.node.name, p.node.addr}, nil
		}
	}
	return host{}, fmt.Errorf("there is no component %s", id)
}

// linked does something to the link between two components' hosts.
func (c *Cluster) linked(ctx context.Context, from, to clusters.ID, do func(from, to string) error) error {
	if why := whyNoLinks(); why != "" {
		return errors.New(why)
	}
	var names []string
	for _, id := range []clusters.ID{from, to} {
		h, err := c.hostOf(id)
		if err != nil {
			return err
		}
		if err := c.join(ctx, h); err != nil {
			return err
		}
		names = append(names, h.container)
	}
	if names[0] == names[1] {
		return fmt.Errorf("%s and %s are on the same node, which has no link to itself", from, to)
	}
	c.mu.Lock()
	c.touched[[2]clusters.ID{from, to}] = true
	c.mu.Unlock()
	return do(names[0], names[1])
}

// mendAll makes every link whole that was changed and may still be.
func (c *Cluster) mendAll(ctx context.Context) error {
	c.mu.Lock()
	touched := slices.Collect(maps.Keys(c.touched))
	c.mu.Unlock()
	var errs []error
	for _, link := range touched {
		// A host that does not run has no links; it has whole ones when it does.
		if c.hostRuns(ctx, link[0]) && c.hostRuns(ctx, link[1]) {
			if err := c.Mend(ctx, link[0], link[1]); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		c.mu.Lock()
		delete(c.touched, link)
		c.mu.Unlock()
	}
	return errors.Join(errs...)
}

// hostRuns says whether the container runs that a component is in.
func (c *Cluster) hostRuns(ctx context.Context, id clusters.ID) bool {
	h, err := c.hostOf(id)
	if err != nil {
		return false
	}
	running, err := docker.Run(ctx, "inspect", "--format", "{{.State.Running}}", h.container)
	return err == nil && running == "true"
}

// join tells the supervisor which network a container has now.
func (c *Cluster) join(ctx context.Context, h host) error {
	out, err := docker.Run(ctx, "inspect", "--format", "{{.State.Pid}}", h.container)
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(out)
	if err != nil || pid == 0 {
		return fmt.Errorf("container %s does not run, and has no network to change", h.container)
	}
	return c.supervisor.Join(ctx, h.container, h.addr, pid)
}
