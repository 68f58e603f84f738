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
	"unicode/utf8"

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

// plain replaces what steers a terminal instead of being shown: control
// characters, and those that turn the direction of writing.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return '·'
		}
		return r
	}, s)
}

// short cuts a text to a width, at a space.
func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	cut := n - 1
	for cut > n/2 && r[cut] != ' ' {
		cut--
	}
	return string(r[:cut]) + "…"
}

// wrap breaks a text into lines of a width, at spaces; a longer word stays
// whole.
func wrap(s string, n int) []string {
	var lines []string
	for _, paragraph := range strings.Split(s, "\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > n {
				lines, line = append(lines, line), ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		lines = append(lines, line)
	}
	return lines
}
