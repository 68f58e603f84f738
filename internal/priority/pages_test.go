package priority

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// mapped is how much of files this process has mapped and read, in kB.
func mapped(t *testing.T) int {
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

// A program that has read the whole of itself holds little of it once it has
// forgotten that, and goes on.
func TestWhatAStartHasReadIsForgotten(t *testing.T) {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	parts := 0
	for line := range strings.Lines(string(maps)) {
		start, length, ok := readOnlyOf(strings.TrimSuffix(line, "\n"), program)
		if !ok {
			continue
		}
		parts++
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, start, length, unix.MADV_POPULATE_READ); errno != 0 {
			t.Skip("this kernel reads nothing ahead: ", errno) // before Linux 5.14
		}
	}
	before := mapped(t)
	if err := ForgetStart(); err != nil {
		t.Fatal(err)
	}
	if after := mapped(t); parts == 0 || after >= before {
		t.Errorf("%d parts of the program: %d kB of it before, %d after", parts, before, after)
	}
}

func TestPartsOfTheProgramThatMayBeForgotten(t *testing.T) {
	const program = "/opt/a storm"
	for name, c := range map[string]struct {
		line   string
		start  uintptr
		length uintptr
	}{
		"text":             {"00400000-0242a000 r-xp 00000000 fe:00 131 /opt/a storm", 0x400000, 0x202a000},
		"constants":        {"0242a000-04a31000 r--p 0202a000 fe:00 131                    /opt/a storm", 0x242a000, 0x2607000},
		"variables":        {"04a31000-04b5e000 rw-p 04631000 fe:00 131 /opt/a storm", 0, 0},
		"nothing readable": {"04a31000-04b5e000 ---p 04631000 fe:00 131 /opt/a storm", 0, 0},
		"shared":           {"04a31000-04b5e000 r--s 04631000 fe:00 131 /opt/a storm", 0, 0},
		"another file":     {"00400000-0242a000 r-xp 00000000 fe:00 131 /opt/a stormy", 0, 0},
		"a file within":    {"00400000-0242a000 r-xp 00000000 fe:00 131 /tmp/opt/a storm", 0, 0},
		"no file":          {"c000000000-c000400000 rw-p 00000000 00:00 0", 0, 0},
		"the kernel's":     {"7ffe87bf2000-7ffe87bf4000 r-xp 00000000 00:00 0 [vdso]", 0, 0},
		"backwards":        {"0242a000-00400000 r-xp 00000000 fe:00 131 /opt/a storm", 0, 0},
		"no line":          {"", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			if start, length, ok := readOnlyOf(c.line, program); start != c.start || length != c.length || ok != (c.length > 0) {
				t.Errorf("%x, %x, %t", start, length, ok)
			}
		})
	}
}
