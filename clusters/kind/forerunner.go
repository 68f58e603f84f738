package kind

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/ready"
	"github.com/storm-harness/storm/internal/docker"
)

// kubeadm starts etcd on a node for the main shard alone, waits for an apiserver that
// has all shards, and no node but the first has a kubelet before that has come. So a
// stacked member of a further shard begins as a forerunner: a container in its node's
// network, with the addresses, the certificates and the data that the member's static
// pod takes over when kubeadm is done. What a shard holds is never anywhere else.

// forerun starts the forerunners of all stacked further shards as soon as their nodes
// are there, and returns when they serve.
func (c *Cluster) forerun(ctx context.Context, spec clusters.Spec, began time.Time) error {
	further := false
	for _, s := range spec.AllShards()[1:] {
		further = further || s.Stacked()
	}
	if !further {
		return nil
	}
	addrs, err := c.awaitNodes(ctx, *spec.Kubernetes.APIServer.Replicas)
	if err != nil {
		return err
	}
	shards := places(spec, c.slot, addrs)
	var all []*member
	for _, s := range shards[1:] {
		if !s.Stacked() {
			continue
		}
		for i, at := range s.members {
			all = append(all, &member{
				cluster: c, place: at, log: filepath.Join(c.o.LogDir, at.id.String()+".log"), within: nodeName(c.name, "control-plane", i),
			})
		}
	}
	c.mu.Lock()
	c.shards, c.forerunners = shards, all
	c.mu.Unlock()
	return c.startThese(ctx, asMembers(all), began)
}

func asMembers(all []*member) []etcdMember {
	var out []etcdMember
	for _, m := range all {
		out = append(out, m)
	}
	return out
}

// awaitNodes waits until kind has made the nodes of the control plane, which it does
// first of all, and returns their addresses.
func (c *Cluster) awaitNodes(ctx context.Context, nodes int) ([]netip.Addr, error) {
	ticker := time.NewTicker(ready.Every)
	defer ticker.Stop()
	var addrs []netip.Addr
	for len(addrs) < nodes {
		addr, err := c.nodeAddr(ctx, nodeName(c.name, "control-plane", len(addrs)))
		if err == nil {
			addrs = append(addrs, addr)
			continue
		}
		select {
		case <-ctx.Done(): // at the latest when kind fails
			return nil, fmt.Errorf("waiting for the nodes: %w", context.Cause(ctx))
		case <-ticker.C:
		}
	}
	return addrs, nil
}

// relieve ends the forerunners, whose static pods are to begin.
func (c *Cluster) relieve(ctx context.Context) error {
	c.mu.Lock()
	all := c.forerunners
	c.mu.Unlock()
	if err := each(ctx, all, func(ctx context.Context, m *member) error {
		if err := m.Stop(ctx, ready.Patience); err != nil {
			return err
		}
		_, err := docker.Run(ctx, "rm", "-f", m.container())
		return err
	}); err != nil {
		return fmt.Errorf("ending what began in the place of static pods: %w", err)
	}
	c.mu.Lock()
	c.forerunners = nil
	c.mu.Unlock()
	return nil
}
