package procfs

import (
	"bytes"
	"fmt"
	"strings"
)

// Mapping is a part of a process's memory.
type Mapping struct {
	Start, Length uintptr
	File          string // that is mapped; empty: none
	ReadOnly      bool   // it is readable, the process's own, and may not be written to
	// Anonymous is how much of it is no longer the file's, in bytes: it was written to,
	// perhaps by a loader before it became read-only. Below 0 where the kernel does not say.
	Anonymous int64
}

// ReadMappings reads a process's smaps: see proc_pid_smaps(5).
func ReadMappings(pid int) ([]Mapping, error) {
	b, err := read(pid, "smaps")
	if err != nil {
		return nil, err
	}
	return parseMappings(b), nil
}

// parseMappings reads first lines of mappings, and of the fields below them what is known.
func parseMappings(b []byte) []Mapping {
	var out []Mapping
	for raw := range bytes.Lines(b) {
		line := strings.TrimSuffix(string(raw), "\n")
		if m, is := parseMapping(line); is {
			out = append(out, m)
			continue
		}
		var kB int64
		if n, err := fmt.Sscanf(line, "Anonymous: %d kB", &kB); n == 1 && err == nil && len(out) > 0 {
			out[len(out)-1].Anonymous = kB << 10
		}
	}
	return out
}

// parseMapping reads the first line of a mapping, as /proc/PID/maps has it too. The
// file's name is all that is behind five fields, and may have blanks.
func parseMapping(line string) (Mapping, bool) {
	rest := line
	var fields [5]string
	for i := range fields {
		fields[i], rest, _ = strings.Cut(strings.TrimLeft(rest, " "), " ")
	}
	var start, end uintptr
	if n, err := fmt.Sscanf(fields[0], "%x-%x", &start, &end); n != 2 || err != nil || end <= start || len(fields[1]) != 4 || fields[4] == "" {
		return Mapping{}, false
	}
	may := fields[1]
	return Mapping{
		Start: start, Length: end - start, File: strings.TrimLeft(rest, " "),
		ReadOnly: may[0] == 'r' && may[1] == '-' && may[3] == 'p', Anonymous: -1,
	}, true
}
