package priority

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	parts, err := unwritten(f, program)
	if err != nil || len(parts) == 0 {
		t.Fatalf("%d parts of the program, %v", len(parts), err)
	}
	for _, p := range parts {
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, p.start, p.length, unix.MADV_POPULATE_READ); errno != 0 {
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

func TestPartsOfTheProgramThatMayBeForgotten(t *testing.T) {
	const program = "/opt/a storm"
	for name, c := range map[string]struct {
		line, anonymous string
		want            []mapping
	}{
		"text":                        {"00400000-0242a000 r-xp 00000000 fe:00 131 /opt/a storm", "0 kB", []mapping{{0x400000, 0x202a000}}},
		"constants":                   {"0242a000-04a31000 r--p 0202a000 fe:00 131                    /opt/a storm", "0 kB", []mapping{{0x242a000, 0x2607000}}},
		"what a loader has filled in": {"0242a000-04a31000 r--p 0202a000 fe:00 131 /opt/a storm", "8 kB", nil},
		"a kernel that does not say":  {"0242a000-04a31000 r--p 0202a000 fe:00 131 /opt/a storm", "", nil},
		"variables":                   {"04a31000-04b5e000 rw-p 04631000 fe:00 131 /opt/a storm", "0 kB", nil},
		"nothing readable":            {"04a31000-04b5e000 ---p 04631000 fe:00 131 /opt/a storm", "0 kB", nil},
		"shared":                      {"04a31000-04b5e000 r--s 04631000 fe:00 131 /opt/a storm", "0 kB", nil},
		"another file":                {"00400000-0242a000 r-xp 00000000 fe:00 131 /opt/a stormy", "0 kB", nil},
		"a file within":               {"00400000-0242a000 r-xp 00000000 fe:00 131 /tmp/opt/a storm", "0 kB", nil},
		"no file":                     {"c000000000-c000400000 rw-p 00000000 00:00 0", "0 kB", nil},
		"the kernel's":                {"7ffe87bf2000-7ffe87bf4000 r-xp 00000000 00:00 0 [vdso]", "0 kB", nil},
		"backwards":                   {"0242a000-00400000 r-xp 00000000 fe:00 131 /opt/a storm", "0 kB", nil},
		"no line":                     {"", "0 kB", nil},
	} {
		t.Run(name, func(t *testing.T) {
			text := c.line + "\nSize:  4 kB\n"
			if c.anonymous != "" {
				text += "Anonymous:   " + c.anonymous + "\n"
			}
			text += "VmFlags: rd mr\n7f0000000000-7f0000001000 r--p 00000000 fe:00 7 /lib/other\nAnonymous: 0 kB\n"
			if got, err := unwritten(strings.NewReader(text), program); err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%x, %v", got, err)
			}
		})
	}
}
