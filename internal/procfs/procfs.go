// Package procfs reads what the kernel says about processes: who they are
// (start time, boot id, environment) and what they used (processor time,
// memory, input and output, time spent waiting for a processor).
//
// Every reader of one process returns an error that wraps fs.ErrNotExist when
// that process is gone, including when it goes while it is being read.
package procfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// root is where the kernel's process file system is mounted.
const root = "/proc"

// TicksPerSecond is the unit of the times in /proc/PID/stat: USER_HZ, which is
// 100 on every architecture that Go runs Linux on.
const TicksPerSecond = 100

// BootID returns the kernel's random identifier of this boot: a pid and its
// start time mean nothing after a restart of the machine.
func BootID() (string, error) {
	b, err := os.ReadFile(filepath.Join(root, "sys/kernel/random/boot_id"))
	if err != nil {
		return "", fmt.Errorf("reading the boot id: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}

// PIDs returns every process that is there now, in no order. Those of other
// users are included where /proc shows them.
func PIDs() ([]int, error) {
	return numbers(root)
}

// numbers returns the entries of a directory whose names are numbers.
func numbers(dir string) ([]int, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, gone(err)
	}
	out := make([]int, 0, len(names))
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			out = append(out, n)
		}
	}
	return out, nil
}

// read returns one file of a process.
func read(pid int, file string) ([]byte, error) {
	b, err := os.ReadFile(processPath(pid, file))
	return b, gone(err)
}

func processPath(pid int, file string) string {
	return filepath.Join(root, strconv.Itoa(pid), file)
}

// gone turns ESRCH, which a read yields when the process ended after the open,
// into the error that an open would have returned.
func gone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}
