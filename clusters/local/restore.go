package local

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/priority"
)

// restores is how often each shard's members went back to a snapshot.
type restores struct {
	count  int
	source string              // the snapshot and bump of the last one
	done   map[clusters.ID]int // the restore that each member took part in last
}

// next returns the number of the restore that a member's is part of. All
// members that go back to the same snapshot, each once, are one restore; its
// number is in their token, so that a member which is left behind with older
// data is of another cluster, and can never mix with them.
func (r *restores) next(id clusters.ID, source string) int {
	if r.done == nil {
		r.done = map[clusters.ID]int{}
	}
	if r.count == 0 || r.source != source || r.done[id] == r.count {
		r.count, r.source = r.count+1, source
	}
	r.done[id] = r.count
	return r.count
}

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
		c.restores[id.Shard] = &restores{}
	}
	n := c.restores[id.Shard].next(id, fmt.Sprintf("%s +%d", snapshot, bump))
	c.mu.Unlock()
	dir := c.dataDir(id)
	aside, old := dir+".restored", dir+".old"
	if err := errors.Join(os.RemoveAll(aside), os.RemoveAll(old)); err != nil {
		return err
	}
	args := []string{
		"snapshot", "restore", snapshot,
		"--name", id.String(), "--data-dir", aside,
		"--initial-cluster", initialCluster(shard),
		"--initial-cluster-token", fmt.Sprintf("%s-restore-%d", c.token(id.Shard), n),
		"--initial-advertise-peer-urls", shard.members[id.Index].peerURL(),
	}
	if bump > 0 {
		args = append(args, "--bump-revision", strconv.FormatInt(bump, 10), "--mark-compacted")
	}
	cmd := exec.CommandContext(ctx, etcdutl, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), ledger.RunEnv+"="+c.o.Ledger.RunID())
	if err := priority.Ordinarily(cmd.Run); err != nil {
		return fmt.Errorf("etcdutl snapshot restore: %w: %s", err, strings.TrimSpace(out.String()))
	}
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(aside, dir); err != nil {
		return err
	}
	return os.RemoveAll(old)
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
