package main

// The terminal's rules.
//
// Results go to stdout, everything else to stderr: `storm list | head` and
// `storm run x > verdict.txt` give what a reader expects. On a terminal,
// progress is drawn with bars that go away; elsewhere it is one plain line a
// step, and a heartbeat while nothing else is said. Colour is used on a
// terminal only, and not where NO_COLOR is set. What a cluster or a file said
// is printed with its control characters replaced. Errors start with "storm: "
// and end with the next step.

import (
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// defaultWidth is the width of what is no terminal.
const defaultWidth = 80

// isTerminal says whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is that of the terminal behind w, or 80.
func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n >= 40 {
			return min(n, 120)
		}
	}
	return defaultWidth
}

// colour says whether to use it on w.
func colour(w io.Writer) bool {
	_, no := os.LookupEnv("NO_COLOR")
	return isTerminal(w) && !no && os.Getenv("TERM") != "dumb"
}

// plain replaces control characters, so that hostile text cannot steer the
// terminal.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return '·'
		}
		return r
	}, s)
}
