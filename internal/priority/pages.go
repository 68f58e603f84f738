package priority

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// ForgetStart unmaps what this process has read of its program's file: a program
// reads much of itself once, as it starts, and counts that as its memory from then
// on. The pages stay in the kernel's cache, from where those that are used again come
// back one by one. Where a page is no longer the file's, as of variables or of what a
// loader has filled in, its mapping stays as it is.
func ForgetStart() error {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	parts, err := unwritten(f, program)
	errs := []error{err}
	for _, p := range parts {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, p.start, p.length, unix.MADV_DONTNEED); errno != 0 {
			errs = append(errs, fmt.Errorf("madvise: %w", errno))
		}
	}
	return errors.Join(errs...)
}

// mapping is a part of a process's memory.
type mapping struct{ start, length uintptr }

// unwritten reads /proc/PID/smaps: where the program's file is mapped and neither may be
// written to nor has been. See proc_pid_smaps(5).
func unwritten(smaps io.Reader, program string) ([]mapping, error) {
	var out []mapping
	var at *mapping // what the fields are of; nil: nothing of the program
	lines := bufio.NewScanner(smaps)
	for lines.Scan() {
		line := lines.Text()
		if m, is := mappingOf(line); is {
			if at = nil; m.readOnly && strings.HasSuffix(line, " "+program) {
				at = &m.mapping
			}
			continue
		}
		if anonymous, is := strings.CutPrefix(line, "Anonymous:"); is && at != nil && strings.TrimSpace(anonymous) == "0 kB" {
			out = append(out, *at)
		}
	}
	return out, lines.Err()
}

// mapped is what the first line of a mapping says.
type mapped struct {
	mapping
	readOnly bool // and the process's own
}

// mappingOf reads the first line of a mapping, as /proc/PID/maps has it too.
func mappingOf(line string) (mapped, bool) {
	var start, end uintptr
	var may, offset, device string
	var inode uint64
	if n, err := fmt.Sscanf(line, "%x-%x %s %s %s %d", &start, &end, &may, &offset, &device, &inode); n != 6 || err != nil {
		return mapped{}, false
	}
	return mapped{mapping{start, end - start}, end > start && len(may) == 4 && may[0] == 'r' && may[1] == '-' && may[3] == 'p'}, true
}
