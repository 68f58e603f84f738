// Package data works on the data directories of etcd members that do not run, or
// do not move: it copies them sparse, and replaces them by a snapshot.
package data

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// preallocated is the WAL segment that etcd prepares for later: 64 MB of
// nothing, which it makes again when it is missing.
const preallocated = "0.tmp"

// CopyTree copies a member's directory, holes left out: etcd preallocates 64 MB
// a WAL segment and uses little of it.
func CopyTree(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			return os.MkdirAll(target, 0o700)
		case d.Name() == preallocated || !d.Type().IsRegular():
			return nil
		}
		return copySparse(path, target)
	})
}

// copySparse copies the data of a file and keeps its length; where the file
// system can share blocks, it shares them.
func copySparse(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if unix.IoctlFileClone(int(out.Fd()), int(in.Fd())) == nil {
		return nil
	}
	if err := out.Truncate(info.Size()); err != nil {
		return err
	}
	for at := int64(0); at < info.Size(); {
		start, err := unix.Seek(int(in.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return nil // only a hole is left
		}
		if err != nil {
			return err
		}
		end, err := unix.Seek(int(in.Fd()), start, unix.SEEK_HOLE)
		if err != nil {
			return err
		}
		w := &sparseWriter{out: out, at: start}
		if _, err := io.Copy(w, io.NewSectionReader(in, start, end-start)); err != nil {
			return err
		}
		at = end
	}
	return nil
}

// sparseWriter writes at a moving offset and leaves out blocks of zeros:
// preallocated blocks count as data though nothing was ever written to them.
type sparseWriter struct {
	out *os.File
	at  int64
}

const block = 4096

// Write implements io.Writer.
func (w *sparseWriter) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		// Runs of blocks are written at once.
		end := n
		for end < len(p) && !zero(p[end:min(end+block, len(p))]) {
			end = min(end+block, len(p))
		}
		if end > n {
			if _, err := w.out.WriteAt(p[n:end], w.at+int64(n)); err != nil {
				return n, err
			}
		} else {
			end = min(n+block, len(p))
		}
		n = end
	}
	w.at += int64(len(p))
	return len(p), nil
}

func zero(p []byte) bool {
	for _, b := range p {
		if b != 0 {
			return false
		}
	}
	return true
}
