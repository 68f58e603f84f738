package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/internal/ledger"
)

// RestoreMember implements clusters.Restorer.
func (c *Cluster) RestoreMember(ctx context.Context, id clusters.ID, snapshot string, bump int64) error {
	comp, ok := clusters.Find(c, id)
	if !ok || id.Kind != clusters.KindEtcd {
		return fmt.Errorf("there is no member %s", id)
	}
	if comp.State().Running {
		return fmt.Errorf("%s runs: stop it before its data is replaced", id)
	}
	etcdutl, err := c.Etcdutl(id.Shard)
	if err != nil {
		return err
	}
	c.mu.Lock()
	members := c.members[id.Shard]
	c.mu.Unlock()
	m := members[id.Index]
	aside, old := m.dir+".restored", m.dir+".old"
	if err := errors.Join(os.RemoveAll(aside), os.RemoveAll(old)); err != nil {
		return err
	}
	args := []string{"snapshot", "restore", snapshot,
		"--name", m.id.String(), "--data-dir", aside,
		"--initial-cluster", initialCluster(members), "--initial-cluster-token", "storm-" + c.o.Ledger.RunID(),
		"--initial-advertise-peer-urls", m.peerURL(),
	}
	if bump > 0 {
		args = append(args, "--bump-revision", strconv.FormatInt(bump, 10), "--mark-compacted")
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, etcdutl, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), ledger.RunEnv+"="+c.o.Ledger.RunID())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("etcdutl snapshot restore: %w: %s", err, strings.TrimSpace(out.String()))
	}
	if err := os.Rename(m.dir, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(aside, m.dir); err != nil {
		return err
	}
	return os.RemoveAll(old)
}

// Etcdutl implements clusters.Restorer.
func (c *Cluster) Etcdutl(shard string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.binaries[components.Etcdutl+" "+shard]
	if !ok {
		return "", fmt.Errorf("there is no shard %q", shard)
	}
	return b.Path, nil
}
