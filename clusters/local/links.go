package local

import (
	"context"
	"errors"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/network"
)

// errNoHosts is why links cannot be changed.
var errNoHosts = errors.New("the members share the loopback interface and have no links: run as root, see `storm doctor`")

// hostOf is the host that a component runs on. All but the etcd members run on
// the machine itself, as storm does: what is cut from there is cut from all of
// them.
func hostOf(id clusters.ID) string {
	if id.Kind == clusters.KindEtcd {
		return id.String()
	}
	return network.Machine
}

// Cut implements clusters.Linker.
func (c *Cluster) Cut(ctx context.Context, from, to clusters.ID) error {
	return c.linked(func() error { return c.supervisor.Cut(ctx, hostOf(from), hostOf(to)) })
}

// Delay implements clusters.Linker.
func (c *Cluster) Delay(ctx context.Context, from, to clusters.ID, d time.Duration) error {
	return c.linked(func() error { return c.supervisor.Delay(ctx, hostOf(from), hostOf(to), d) })
}

// Mend implements clusters.Linker.
func (c *Cluster) Mend(ctx context.Context, from, to clusters.ID) error {
	return c.linked(func() error { return c.supervisor.Mend(ctx, hostOf(from), hostOf(to)) })
}

// Dropped implements clusters.Linker.
func (c *Cluster) Dropped(ctx context.Context, from, to clusters.ID) (n uint64, err error) {
	err = c.linked(func() error {
		n, err = c.supervisor.Dropped(ctx, hostOf(from), hostOf(to))
		return err
	})
	return n, err
}

func (c *Cluster) linked(do func() error) error {
	if !c.Namespaces() {
		return errNoHosts
	}
	return do()
}

// mendAll makes every link between members, and from the machine to them, whole.
func (c *Cluster) mendAll(ctx context.Context) error {
	if !c.Namespaces() {
		return nil
	}
	hosts := []string{network.Machine}
	for _, h := range c.handles(clusters.KindEtcd) {
		hosts = append(hosts, h.host)
	}
	for _, to := range hosts[1:] {
		for _, from := range hosts {
			if from == to {
				continue
			}
			if err := c.supervisor.Mend(ctx, from, to); err != nil {
				return err
			}
		}
	}
	return nil
}
