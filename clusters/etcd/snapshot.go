package etcd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Summary is what a snapshot file holds.
type Summary struct {
	Hash     uint32 `json:"hash"` // of the keys and values, as etcdutl computes it
	Revision int64  `json:"revision"`
	Keys     int64  `json:"totalKey"`
	Size     int64  `json:"totalSize"` // bytes
	SHA256   string `json:"sha256"`    // of the database, as the member sent it
}

// sector is the unit of a bbolt file's size; the checksum that a member sends
// behind the database is recognised by the remainder.
const sector = 512

// Save streams a snapshot of the member into the file: aside first, synced,
// its checksum verified, then renamed. The file is readable by its owner only,
// for it holds every secret of the cluster.
func (c *Client) Save(ctx context.Context, file string) error {
	r, err := c.c.SnapshotWithVersion(ctx)
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer r.Snapshot.Close()
	aside := file + ".part"
	defer os.Remove(aside)
	f, err := os.OpenFile(aside, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r.Snapshot)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if _, err := checksum(aside); err != nil {
		return err
	}
	return os.Rename(aside, file)
}

// Verify reads a snapshot file whole: the checksum that the member sent with it
// must fit, and etcdutl (of the shard's version) must find its keys sound.
func Verify(ctx context.Context, etcdutl, file string) (Summary, error) {
	sum, err := checksum(file)
	if err != nil {
		return Summary{}, err
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, etcdutl, "snapshot", "status", file, "-w", "json")
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return Summary{}, fmt.Errorf("etcdutl snapshot status %s: %w: %s", file, err, strings.TrimSpace(stderr.String()))
	}
	s := Summary{}
	if err := json.Unmarshal(out, &s); err != nil {
		return Summary{}, fmt.Errorf("etcdutl snapshot status %s: %w", file, err)
	}
	s.SHA256 = sum
	return s, nil
}

// checksum compares the SHA-256 that a member appends to a snapshot with that
// of what comes before it.
func checksum(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	body := info.Size() - sha256.Size
	if body <= 0 || body%sector != 0 {
		return "", fmt.Errorf("snapshot %s is cut off or has no checksum (%d bytes)", file, info.Size())
	}
	h := sha256.New()
	if _, err := io.CopyN(h, f, body); err != nil {
		return "", err
	}
	want := make([]byte, sha256.Size)
	if _, err := io.ReadFull(f, want); err != nil {
		return "", err
	}
	if got := h.Sum(nil); !bytes.Equal(got, want) {
		return "", fmt.Errorf("snapshot %s is damaged: its checksum is %x, the member sent %x", file, got, want)
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}
