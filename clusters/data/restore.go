package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/ledger"
)

// Restores is how often each shard's members went back to a snapshot.
type Restores struct {
	count  int
	source string              // the snapshot and bump of the last one
	done   map[clusters.ID]int // the restore that each member took part in last
}

// Next returns the number of the restore that a member's is part of. All
// members that go back to the same snapshot, each once, are one restore; its
// number is in their token, so that a member which is left behind with older
// data is of another cluster, and can never mix with them.
func (r *Restores) Next(id clusters.ID, source string) int {
	if r.done == nil {
		r.done = map[clusters.ID]int{}
	}
	if r.count == 0 || r.source != source || r.done[id] == r.count {
		r.count, r.source = r.count+1, source
	}
	r.done[id] = r.count
	return r.count
}

// Restoring is one member's way back to a snapshot.
type Restoring struct {
	Etcdutl        string // the tool of the member's version
	Snapshot       string
	Bump           int64 // added to the revision, and the history before marked compacted; 0 for the plain way
	Dir            string
	Name           string
	InitialCluster string
	Token          string
	PeerURL        string
	RunID          string
}

// Restore replaces the data directory of a member that does not run.
func Restore(ctx context.Context, r Restoring) error {
	aside, old := r.Dir+".restored", r.Dir+".old"
	if err := errors.Join(os.RemoveAll(aside), os.RemoveAll(old)); err != nil {
		return err
	}
	args := []string{
		"snapshot", "restore", r.Snapshot,
		"--name", r.Name, "--data-dir", aside,
		"--initial-cluster", r.InitialCluster,
		"--initial-cluster-token", r.Token,
		"--initial-advertise-peer-urls", r.PeerURL,
	}
	if r.Bump > 0 {
		args = append(args, "--bump-revision", strconv.FormatInt(r.Bump, 10), "--mark-compacted")
	}
	cmd := exec.CommandContext(ctx, r.Etcdutl, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Env = append(os.Environ(), ledger.RunEnv+"="+r.RunID)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("etcdutl snapshot restore: %w: %s", err, strings.TrimSpace(out.String()))
	}
	if err := os.Rename(r.Dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(aside, r.Dir); err != nil {
		return err
	}
	return os.RemoveAll(old)
}
