// Package flock makes one process at a time do something, of all that lock the
// same file. The lock is the kernel's: it ends with its holder, however that
// ends.
package flock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Hold takes the lock. While another process holds it, Hold waits, after it has
// told waits by whom it is held: "process 123".
func Hold(ctx context.Context, path string, waits func(holder string)) (release func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		waits(holder(f))
		if err := wait(ctx, f); err != nil {
			return nil, fmt.Errorf("waiting for the lock %s: %w", path, err)
		}
	case err != nil:
		_ = f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	if err := writePID(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil // closing it unlocks
}

// holder says whom the lock is held by.
func holder(f *os.File) string {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if pid := strings.TrimSpace(string(data)); err == nil && pid != "" {
		return "process " + pid
	}
	return "another storm"
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
