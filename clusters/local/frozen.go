package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/storm-harness/storm/internal/procfs"
)

// awaitFrozen returns when every thread of a process has stopped.
func awaitFrozen(ctx context.Context, pid int) error {
	for {
		moving, err := movingThreads(pid)
		if err != nil || moving == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d does not stand still: %w", pid, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
}

// movingThreads counts the threads of a process that are not stopped.
func movingThreads(pid int) (int, error) {
	tasks, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "task"))
	if err != nil {
		return 0, err
	}
	moving := 0
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			return 0, err
		}
		// A thread has a stat of its own in /proc, though no entry in its list.
		stat, err := procfs.ReadStat(tid)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just ended
		}
		if err != nil {
			return 0, err
		}
		if stat.State != 'T' {
			moving++
		}
	}
	return moving, nil
}
