package ready

import (
	"slices"
	"strings"
)

// LastWords adds to how a process ended what it logged last, from an offset of its
// log on: see Words.
func LastWords(how, log string, from int64) string {
	if !byItself(how) {
		return how
	}
	return saying(how, linesAfter(log, from))
}

// Words adds to how a process ended why, as its log has it: the panic or fatal
// error if there is one, or the last line. One that a signal killed had no time to
// say anything.
func Words(how, log string) string {
	if !byItself(how) {
		return how
	}
	return saying(how, shown(log))
}

// byItself says whether a process ended with a status of its own.
func byItself(how string) bool { return strings.HasPrefix(how, "exit status ") }

func saying(how string, lines []string) string {
	if len(lines) == 0 {
		return how
	}
	last := len(lines) - 1
	if i := slices.IndexFunc(lines, dying); i >= 0 {
		last = i
	}
	return how + ": " + strings.TrimSpace(ofPod.ReplaceAllLiteralString(lines[last], ""))
}

// dying says whether a line is what a Go program ends with.
func dying(line string) bool {
	line = ofPod.ReplaceAllLiteralString(line, "")
	return strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")
}
