package kind

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/data"
)

// RestoreMember implements clusters.Restorer. A member's data is a directory of
// this machine, which its container has mounted.
func (c *Cluster) RestoreMember(ctx context.Context, id clusters.ID, snapshot string, bump int64) error {
	m, err := c.member(id)
	if err != nil {
		return err
	}
	if m.State().Running {
		return fmt.Errorf("%s runs: stop it before its data is replaced", id)
	}
	tool, err := c.etcdutl(ctx, m.home())
	if err != nil {
		return err
	}
	c.mu.Lock()
	shard := shardOf(c.shards, id.Shard)
	if c.restores[id.Shard] == nil {
		c.restores[id.Shard] = &data.Restores{}
	}
	n := c.restores[id.Shard].Next(id, fmt.Sprintf("%s +%d", snapshot, bump))
	c.mu.Unlock()
	return data.Restore(ctx, data.Restoring{
		Etcdutl: tool, Snapshot: snapshot, Bump: bump, Dir: c.dataDir(id), Name: id.String(), InitialCluster: initialCluster(shard),
		Token: fmt.Sprintf("%s-restore-%d", c.token(id.Shard), n), PeerURL: m.home().peerURL(), RunID: c.o.Ledger.RunID(),
	})
}

// Etcdutl implements clusters.Restorer.
func (c *Cluster) Etcdutl(shard string) (string, error) {
	for _, m := range c.allMembers() {
		if m.ID().Shard == shard {
			return c.etcdutl(context.Background(), m.home())
		}
	}
	return "", fmt.Errorf("there is no shard %q", shard)
}

// etcdutl is the path of the etcdutl that fits a member as it is now.
func (c *Cluster) etcdutl(ctx context.Context, at home) (string, error) {
	b, err := c.etcdBinary(ctx, components.Etcdutl, at.id.Shard, at.change)
	return b.Path, err
}

// etcdBinary is etcd, or a tool of its version, as a shard's spec or a change of a
// member has it.
func (c *Cluster) etcdBinary(ctx context.Context, name, shard string, change clusters.Change) (components.Binary, error) {
	c.mu.Lock()
	s := shardOf(c.shards, shard)
	got := c.binaries[shard]
	c.mu.Unlock()
	changed := change.Version != "" || change.BinDir != ""
	if name == components.Etcd && !changed {
		return got, nil
	}
	r := components.Request{Name: name, Version: cmp.Or(change.Version, s.Version), BinDir: s.BinDir}
	if changed {
		r.BinDir = change.BinDir
	}
	if _, err := os.Stat(filepath.Join(r.BinDir, name)); name != components.Etcd && r.BinDir != "" && errors.Is(err, fs.ErrNotExist) {
		r.BinDir = "" // a build of the server alone: the tool is its version's
	}
	return c.o.Store.Get(ctx, r, c.o.Sink)
}

func (c *Cluster) member(id clusters.ID) (etcdMember, error) {
	for _, m := range c.allMembers() {
		if m.ID() == id {
			return m, nil
		}
	}
	return nil, fmt.Errorf("there is no member %s", id)
}
