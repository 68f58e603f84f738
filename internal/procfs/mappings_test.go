package procfs

import (
	"os"
	"slices"
	"testing"
)

func TestMappings(t *testing.T) {
	const program = "/opt/a storm"
	for name, c := range map[string]struct {
		line, anonymous string
		want            []Mapping
	}{
		"text":                        {"00400000-0242a000 r-xp 00000000 fe:00 131 /opt/a storm", "0 kB", []Mapping{{0x400000, 0x202a000, program, true, 0}}},
		"constants":                   {"0242a000-04a31000 r--p 0202a000 fe:00 131                    /opt/a storm", "0 kB", []Mapping{{0x242a000, 0x2607000, program, true, 0}}},
		"what a loader has filled in": {"0242a000-04a31000 r--p 0202a000 fe:00 131 /opt/a storm", "8 kB", []Mapping{{0x242a000, 0x2607000, program, true, 8192}}},
		"a kernel that does not say":  {"0242a000-04a31000 r--p 0202a000 fe:00 131 /opt/a storm", "", []Mapping{{0x242a000, 0x2607000, program, true, -1}}},
		"variables":                   {"04a31000-04b5e000 rw-p 04631000 fe:00 131 /opt/a storm", "0 kB", []Mapping{{0x4a31000, 0x12d000, program, false, 0}}},
		"nothing readable":            {"04a31000-04b5e000 ---p 04631000 fe:00 131 /opt/a storm", "0 kB", []Mapping{{0x4a31000, 0x12d000, program, false, 0}}},
		"shared":                      {"04a31000-04b5e000 r--s 04631000 fe:00 131 /opt/a storm", "0 kB", []Mapping{{0x4a31000, 0x12d000, program, false, 0}}},
		"a file that is gone":         {"00400000-0242a000 r-xp 00000000 fe:00 131 /opt/a storm (deleted)", "0 kB", []Mapping{{0x400000, 0x202a000, program + " (deleted)", true, 0}}},
		"no file":                     {"c000000000-c000400000 rw-p 00000000 00:00 0 ", "4 kB", []Mapping{{0xc000000000, 0x400000, "", false, 4096}}},
		"the kernel's":                {"7ffe87bf2000-7ffe87bf4000 r-xp 00000000 00:00 0 [vdso]", "0 kB", []Mapping{{0x7ffe87bf2000, 0x2000, "[vdso]", true, 0}}},
		"backwards":                   {"0242a000-00400000 r-xp 00000000 fe:00 131 /opt/a storm", "0 kB", nil},
		"cut off":                     {"0242a000-00400000 r-xp 0000", "0 kB", nil},
		"no line":                     {"", "0 kB", nil},
	} {
		t.Run(name, func(t *testing.T) {
			text := c.line + "\nSize:  4 kB\n"
			if c.anonymous != "" {
				text += "Anonymous:   " + c.anonymous + "\n"
			}
			text += "VmFlags: rd mr\n"
			if got := parseMappings([]byte(text)); !slices.Equal(got, c.want) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// The program is among what this process has mapped, and may not write to itself.
func TestOwnMappings(t *testing.T) {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	all, err := ReadMappings(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(all, func(m Mapping) bool { return m.File == program && m.ReadOnly && m.Anonymous == 0 }) {
		t.Errorf("%+v", all)
	}
}
