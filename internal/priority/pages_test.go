package priority

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// ofFiles is how much of files this process has mapped and read, in kB.
func ofFiles(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`RssFile:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Skip("this kernel does not tell how much of a process's memory is files")
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A program that has read the whole of itself holds less of it once it has
// forgotten that, and goes on.
func TestWhatAStartHasReadIsForgotten(t *testing.T) {
	parts, err := unwritten()
	if err != nil || len(parts) == 0 {
		t.Fatalf("%d parts of the program, %v", len(parts), err)
	}
	for _, p := range parts {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, p.Start, p.Length, unix.MADV_POPULATE_READ); errno != 0 {
			t.Skip("this kernel reads nothing ahead: ", errno) // before Linux 5.14
		}
	}
	before := ofFiles(t)
	if err := ForgetStart(); err != nil {
		t.Fatal(err)
	}
	if after := ofFiles(t); after >= before {
		t.Errorf("%d kB of files before, %d after", before, after)
	}
}
