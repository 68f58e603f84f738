package priority

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ForgetStart unmaps what this process has read of its program's file: a program
// reads much of itself once, as it starts, and counts that as its memory from then
// on. The pages stay in the kernel's cache; those that are used again come back one
// by one, without the disk. What the process may write to stays as it is.
func ForgetStart() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var errs []error
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if start, length, ok := readOnlyOf(lines.Text(), program); ok {
			if _, _, errno := unix.Syscall(unix.SYS_MADVISE, start, length, unix.MADV_DONTNEED); errno != 0 {
				errs = append(errs, fmt.Errorf("madvise: %w", errno))
			}
		}
	}
	return errors.Join(append(errs, lines.Err())...)
}

// readOnlyOf reads a line of /proc/PID/maps: where a mapping of the program begins and
// how long it is, if it may not be written to. See proc_pid_maps(5).
func readOnlyOf(line, program string) (start, length uintptr, ok bool) {
	var end uintptr
	var may, offset, device string
	var inode uint64
	if n, err := fmt.Sscanf(line, "%x-%x %s %s %s %d", &start, &end, &may, &offset, &device, &inode); n != 6 || err != nil {
		return 0, 0, false
	}
	if end <= start || len(may) != 4 || may[0] != 'r' || may[1] != '-' || may[3] != 'p' || !strings.HasSuffix(line, " "+program) {
		return 0, 0, false
	}
	return start, end - start, true
}
