package priority

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/internal/procfs"
)

// ForgetStart unmaps what this process has read of its program's file: a program
// reads much of itself once, as it starts, and counts that as its memory from then
// on. The pages stay in the kernel's cache, from where those that are used again come
// back one by one. Where a page is no longer the file's, as of variables or of what a
// loader has filled in, its mapping stays as it is.
func ForgetStart() error {
	parts, err := unwritten()
	errs := []error{err}
	for _, p := range parts {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, p.Start, p.Length, unix.MADV_DONTNEED); errno != 0 {
			errs = append(errs, fmt.Errorf("madvise: %w", errno))
		}
	}
	return errors.Join(errs...)
}

// unwritten is where this program's file is mapped and neither may be written to nor
// has been.
func unwritten() ([]procfs.Mapping, error) {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	all, err := procfs.ReadMappings(os.Getpid())
	var out []procfs.Mapping
	for _, m := range all {
		if m.File == program && m.ReadOnly && m.Anonymous == 0 {
			out = append(out, m)
		}
	}
	return out, err
}
