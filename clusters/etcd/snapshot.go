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
	"path/filepath"
	"strings"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/storm-harness/storm/internal/priority"
)

// Save streams a snapshot of the member into a file, which appears whole,
// synced and with its digest checked, or not at all.
func (c *Client) Save(ctx context.Context, file string) (err error) {
	ctx, cancel := context.WithCancel(ctx) // ends the stream where this returns early
	defer cancel()
	out, err := os.CreateTemp(filepath.Dir(file), ".part-*") // mode 0600: it holds every secret
	if err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	err = c.stream(ctx, out)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if err := checkDigest(out.Name()); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	if err := os.Rename(out.Name(), file); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	}
	return syncDir(filepath.Dir(file))
}

func (c *Client) stream(ctx context.Context, out io.Writer) error {
	stream, err := c.maintenance.Snapshot(ctx, &pb.SnapshotRequest{})
	if err != nil {
		return said(ctx, "stream", err)
	}
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return said(ctx, "stream", err)
		}
		if _, err := out.Write(part.Blob); err != nil {
			return err
		}
	}
}

// page is what the size of a database is a multiple of, at least: the digest
// behind it shows in the remainder. So says etcdutl's hasChecksum.
const page = 512

// checkDigest compares the SHA-256 of a snapshot's content with the one that
// etcd has put behind it.
func checkDigest(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size()%page != sha256.Size {
		return fmt.Errorf("%s is no whole snapshot: %d bytes do not end with a digest", file, info.Size())
	}
	h := sha256.New()
	if _, err := io.CopyN(h, f, info.Size()-sha256.Size); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	want := make([]byte, sha256.Size)
	if _, err := io.ReadFull(f, want); err != nil {
		return fmt.Errorf("reading %s: %w", file, err)
	}
	if got := h.Sum(nil); !bytes.Equal(got, want) {
		return fmt.Errorf("%s is damaged: its content has the digest %x, and should have %x", file, got, want)
	}
	return nil
}

// Summary is what a verified snapshot holds.
type Summary struct {
	Hash     uint32 `json:"hash"` // CRC-32C over the database's content, as etcdutl computes it
	Revision int64  `json:"revision"`
	Keys     int    `json:"totalKey"`
	Size     int64  `json:"totalSize"` // bytes of the database
}

// Verify checks a snapshot file: its digest first, which a single flipped bit
// changes, then its structure, by the etcdutl at that path, which counts what
// is in it. An etcdutl of the member's own minor version or a later one fits.
func Verify(ctx context.Context, etcdutl, file string) (Summary, error) {
	if err := checkDigest(file); err != nil {
		return Summary{}, err
	}
	cmd := exec.CommandContext(ctx, etcdutl, "snapshot", "status", file, "-w", "json")
	var out bytes.Buffer
	var stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := priority.Ordinarily(cmd.Run); err != nil {
		return Summary{}, fmt.Errorf("etcdutl snapshot status %s: %w: %s", file, err, strings.TrimSpace(stderr.String()))
	}
	var s Summary
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		return Summary{}, fmt.Errorf("etcdutl snapshot status %s answers %q: %w", file, out.Bytes(), err)
	}
	return s, nil
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
