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

	"github.com/mattn/go-runewidth"
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

// oneLine is plain, for what must stay on its line.
func oneLine(s string) string {
	return plain(strings.NewReplacer("\n", " ", "\t", " ").Replace(s))
}

// columnsOf is how many columns a text takes on a terminal, where a Chinese
// character is two wide. It is mpb's measure.
func columnsOf(s string) int { return runewidth.StringWidth(s) }

// short cuts a text to so many columns: at a space, unless that would leave more
// than a quarter of them empty.
func short(s string, columns int) string {
	const more = "…"
	if columnsOf(s) <= columns {
		return s
	}
	cut := runewidth.Truncate(s, columns-columnsOf(more), "")
	if s[len(cut)] != ' ' {
		if at := strings.LastIndexByte(cut, ' '); at >= 0 && columnsOf(cut[:at]) >= columns-columns/4 {
			cut = cut[:at]
		}
	}
	return strings.TrimRight(cut, " ") + more
}

// wrap breaks a text into lines of so many columns, at spaces; a longer word
// stays whole.
func wrap(s string, columns int) []string {
	var lines []string
	for _, paragraph := range strings.Split(s, "\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			if line != "" && columnsOf(line)+1+columnsOf(word) > columns {
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
