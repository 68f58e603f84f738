package local

import (
	"context"
	"errors"
	"time"

	"github.com/storm-harness/storm/clusters"
)

// errNoHosts is why links cannot be changed.
var errNoHosts = errors.New("the members share the loopback interface: run as root, see `storm doctor`")

// Cut implements clusters.Linker.
func (c *Cluster) Cut(ctx context.Context, from, to clusters.ID) error {
	if !c.namespaces {
		return errNoHosts
	}
	return c.supervisor.Cut(ctx, from.String(), to.String())
}

// Delay implements clusters.Linker.
func (c *Cluster) Delay(ctx context.Context, from, to clusters.ID, d time.Duration) error {
	if !c.namespaces {
		return errNoHosts
	}
	return c.supervisor.Delay(ctx, from.String(), to.String(), d)
}

// Mend implements clusters.Linker.
func (c *Cluster) Mend(ctx context.Context, from, to clusters.ID) error {
	if !c.namespaces {
		return errNoHosts
	}
	return c.supervisor.Mend(ctx, from.String(), to.String())
}

// Dropped implements clusters.Linker.
func (c *Cluster) Dropped(ctx context.Context, from, to clusters.ID) (uint64, error) {
	if !c.namespaces {
		return 0, errNoHosts
	}
	return c.supervisor.Dropped(ctx, from.String(), to.String())
}
