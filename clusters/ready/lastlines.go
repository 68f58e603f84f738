package ready

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/storm-harness/storm/clusters"
)

// tailLines is how much of a log an error shows. Of a short one it shows the
// first lines too: a program that does not like its flags says so first, and
// then explains all of them.
const (
	tailLines = 15
	headLines = 3
	shortLog  = 80
)

// Failed is an error about a component that shows the last lines that its log
// has after an offset: those of its present process.
func Failed(id clusters.ID, how, log string, from int64) error {
	return failed(id, how, log, linesAfter(log, from))
}

// FailedSaying is Failed where what the process logged is known from elsewhere.
func FailedSaying(id clusters.ID, how, log, said string) error {
	return failed(id, how, log, shown(said))
}

func failed(id clusters.ID, how, log string, lines []string) error {
	lines = lastOf(lines, tailLines)
	if len(lines) == 0 {
		return fmt.Errorf("%s %s; it logged nothing to %s", id, how, log)
	}
	return fmt.Errorf("%s %s; the last lines of %s:\n  %s", id, how, log, strings.Join(lines, "\n  "))
}

// LastLines returns the last n lines that a file has after an offset, and the first
// few if there are not many, each cut to a length that a terminal bears.
func LastLines(path string, from int64, n int) []string {
	return lastOf(linesAfter(path, from), n)
}

func lastOf(lines []string, n int) []string {
	switch over := len(lines) - n; {
	case over <= 0:
		return lines
	case over > headLines && len(lines) <= shortLog:
		return slices.Concat(lines[:headLines], []string{"…"}, lines[over:])
	default:
		return lines[over:]
	}
}

// linesAfter reads what a file has after an offset, but no more than its end.
func linesAfter(path string, from int64) []string {
	const most = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		from = max(from, info.Size()-most)
	}
	data, err := io.ReadAll(io.NewSectionReader(f, from, most))
	if err != nil {
		return nil
	}
	return shown(string(data))
}

// shown are the lines of a log that say something, cut.
func shown(log string) []string {
	const longest = 300
	var lines []string
	for _, line := range WithoutFrames(strings.Split(log, "\n")) {
		if len(line) > longest {
			line = line[:longest] + "…"
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
