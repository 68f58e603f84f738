package components

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/clusters"
)

// lock makes this the only storm, of all that use the cache, that fetches or
// builds the release. While another one does, lock waits and says for whom.
// The lock is the kernel's: it ends with its holder, however that ends.
func (c *cache) lock(ctx context.Context, w wanted, sink clusters.Sink) (unlock func(), err error) {
	path := filepath.Join(c.root, "locks", w.release())
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, &cacheError{err}
	}
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		sink(clusters.Event{Component: w.name, Text: waiting(f, w)})
		if err := wait(ctx, f); err != nil {
			return nil, fmt.Errorf("waiting for the lock %s: %w", path, err)
		}
	case err != nil:
		_ = f.Close()
		return nil, &cacheError{fmt.Errorf("locking %s: %w", path, err)}
	}
	if err := writePID(f); err != nil {
		_ = f.Close()
		return nil, &cacheError{err}
	}
	return func() { _ = f.Close() }, nil // closing it unlocks
}

// waiting says whom the lock is held by.
func waiting(f *os.File, w wanted) string {
	holder := "another storm"
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if pid := strings.TrimSpace(string(data)); err == nil && pid != "" {
		holder = "process " + pid
	}
	return fmt.Sprintf("waiting for %s, which is getting %s %s", holder, w.project.name, w.version)
}

// wait blocks until the lock is had or ctx ends; on an error it sees to it that
// the file is closed. A blocked flock cannot be called off, so when ctx ends it
// is left behind, to give the lock back as soon as it gets it.
func wait(ctx context.Context, f *os.File) error {
	got := make(chan error)
	go func() {
		var err error
		for {
			if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		select {
		case got <- err:
		case <-ctx.Done():
			_ = f.Close()
		}
	}()
	select {
	case err := <-got:
		if err != nil {
			_ = f.Close()
		}
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// writePID leaves the holder's pid for those who wait.
func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}
