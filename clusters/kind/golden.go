package kind

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/data"
	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/clusters/fairness"
	"github.com/storm-harness/storm/clusters/objects"
	"github.com/storm-harness/storm/clusters/ready"
	"github.com/storm-harness/storm/internal/docker"
)

// The golden copy is the members' data as it stood right after the first start,
// taken while all members are paused at once: what a crash would leave, or more,
// and that is what etcd recovers from by design. Another topology, image or set of
// objects of priority and fairness is another cluster, which is made anew.

const (
	dataFolder   = "data"
	goldenFolder = "golden"
)

// dataDir is a member's data directory.
func (c *Cluster) dataDir(id clusters.ID) string {
	return filepath.Join(c.o.Dir, dataFolder, id.String())
}

// goldenKey names a topology with what runs it. Call it with the spec adopted.
func (c *Cluster) goldenKey() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var text strings.Builder
	for _, s := range c.shards {
		fmt.Fprintf(&text, "%s %v %d %s\n", s.Name, s.Resources, len(s.members), c.binaries[s.Name].SHA256)
	}
	fmt.Fprintf(&text, "%s %d %d %s\n", c.image.id, *c.spec.Kubernetes.APIServer.Replicas, c.spec.Kubernetes.Workers, c.spec.Etcd.Topology)
	text.WriteString(fairness.Text(c.spec.Kubernetes) + objects.Text(c.spec.Kubernetes))
	sum := sha256.Sum256([]byte(text.String()))
	return hex.EncodeToString(sum[:8])
}

// takeGolden copies the members' data while none of them moves.
func (c *Cluster) takeGolden(ctx context.Context) (err error) {
	to := filepath.Join(c.o.Dir, goldenFolder)
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, each(context.WithoutCancel(ctx), c.allMembers(), func(ctx context.Context, m etcdMember) error {
			_, err := docker.Run(ctx, "unpause", m.home().box)
			if docker.Says(err, "is not paused") {
				return nil
			}
			return err
		}))
	}()
	if err := each(ctx, c.allMembers(), func(ctx context.Context, m etcdMember) error {
		_, err := docker.Run(ctx, "pause", m.home().box)
		return err
	}); err != nil {
		return err
	}
	if err := c.copyData(ctx, filepath.Join(c.o.Dir, dataFolder), to); err != nil {
		return err
	}
	c.golden = c.goldenKey()
	return nil
}

// putBack replaces the data by the golden copy, and has it on the disk before
// anything starts: the first fsyncs of a trial must not pay for the copy.
func (c *Cluster) putBack(ctx context.Context) error {
	to := filepath.Join(c.o.Dir, dataFolder) // it stays: nodes may have it mounted
	for _, m := range c.allMembers() {
		if err := os.RemoveAll(c.dataDir(m.ID())); err != nil {
			return err
		}
	}
	if err := c.copyData(ctx, filepath.Join(c.o.Dir, goldenFolder), to); err != nil {
		return err
	}
	d, err := os.Open(to)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}

// copyData copies every member's directory at once.
func (c *Cluster) copyData(ctx context.Context, from, to string) error {
	return each(ctx, c.allMembers(), func(ctx context.Context, m etcdMember) error {
		name := m.ID().String()
		return data.CopyTree(ctx, filepath.Join(from, name), filepath.Join(to, name))
	})
}

// dropLeases deletes the controllers' Leases, in whichever shard they are, before
// an apiserver starts: they would stall the next holders for as long as they are valid.
func (c *Cluster) dropLeases(ctx context.Context) error {
	c.mu.Lock()
	shards := c.shards
	c.mu.Unlock()
	for _, s := range shards {
		client, err := etcd.Open(s.members[0].clientURL(), c.etcdTLS)
		if err != nil {
			return err
		}
		for _, name := range ready.Elected {
			if err := client.Delete(ctx, "/registry/leases/kube-system/"+name); err != nil {
				client.Close()
				return fmt.Errorf("the lease %s in shard %s: %w", name, s.Name, err)
			}
		}
		client.Close()
	}
	return nil
}
