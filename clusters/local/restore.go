package local

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

// RestoreMember implements clusters.Restorer.
func (c *Cluster) RestoreMember(ctx context.Context, id clusters.ID, snapshot string, bump int64) error {
	comp, err := c.member(id)
	if err != nil {
		return err
	}
	if comp.State().Running {
		return fmt.Errorf("%s runs: stop it before its data is replaced", id)
	}
	etcdutl, err := c.etcdutl(ctx, comp)
	if err != nil {
		return err
	}
	c.mu.Lock()
	shard := c.layout.shard(id.Shard)
	if c.restores[id.Shard] == nil {
		c.restores[id.Shard] = &data.Restores{}
	}
	n := c.restores[id.Shard].Next(id, fmt.Sprintf("%s +%d", snapshot, bump))
	c.mu.Unlock()
	return data.Restore(ctx, data.Restoring{
		Etcdutl: etcdutl, Snapshot: snapshot, Bump: bump, Dir: c.dataDir(id), Name: id.String(), InitialCluster: initialCluster(shard),
		Token: fmt.Sprintf("%s-restore-%d", c.token(id.Shard), n), PeerURL: shard.members[id.Index].peerURL(), RunID: c.o.Ledger.RunID(),
	})
}

// Etcdutl implements clusters.Restorer.
func (c *Cluster) Etcdutl(shard string) (string, error) {
	members := clusters.OfKind(c, clusters.KindEtcd, shard)
	if shard == "" || len(members) == 0 {
		return "", fmt.Errorf("there is no shard %q", shard)
	}
	return c.etcdutl(context.Background(), members[0].(*component))
}

// etcdutl is the path of the etcdutl that fits a member as it is now.
func (c *Cluster) etcdutl(ctx context.Context, comp *component) (string, error) {
	c.mu.Lock()
	shard := c.layout.shard(comp.id.Shard)
	c.mu.Unlock()
	r := components.Request{Name: components.Etcdutl, Version: shard.Version, BinDir: shard.BinDir}
	if change := comp.changed(); change.Version != "" || change.BinDir != "" {
		r.Version, r.BinDir = cmp.Or(change.Version, shard.Version), change.BinDir
	}
	if _, err := os.Stat(filepath.Join(r.BinDir, components.Etcdutl)); r.BinDir != "" && errors.Is(err, fs.ErrNotExist) {
		r.BinDir = "" // a build of the server alone: the tool is its version's
	}
	b, err := c.o.Store.Get(ctx, r, c.o.Sink)
	return b.Path, err
}

func (c *Cluster) member(id clusters.ID) (*component, error) {
	for _, h := range c.handles(clusters.KindEtcd) {
		if h.id == id {
			return h, nil
		}
	}
	return nil, fmt.Errorf("there is no member %s", id)
}
