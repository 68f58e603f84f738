package kind

import (
	"context"
	"fmt"

	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/internal/ledger"
)

// makeNetwork makes the cluster's own network, with addresses of the slot, and
// writes down first that everything on it is to be removed. The members' addresses
// are storm's to give; the nodes' are Docker's, from the end of the subnet.
func (c *Cluster) makeNetwork(ctx context.Context) error {
	if err := c.o.Ledger.Intend(ledger.Containers, c.name); err != nil {
		return err
	}
	_, err := docker.Run(ctx, "network", "create", "--driver", "bridge",
		"--subnet", c.slot.Subnet().String(), "--gateway", c.slot.MachineAddr().String(), "--ip-range", nodesRange(c.slot).String(),
		"--label", docker.RunLabel+"="+c.o.Ledger.RunID(), c.name)
	if err != nil {
		return fmt.Errorf("the cluster's network: %w", explained(err))
	}
	return nil
}
