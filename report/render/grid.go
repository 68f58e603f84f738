package render

import (
	"regexp"
	"strings"
	"unicode"
)

// grid is a table for a terminal, whose cells wrap between words.
type grid struct {
	head   []string // ">" before a name aligns the column to the right
	least  []int    // columns' least widths
	weight []int    // how what is left of the width is shared
	rows   [][]string
	styles []string // of each row's first cell
}

// add adds a row; a line break in a cell stays one.
func (g *grid) add(style string, cells ...string) {
	g.rows = append(g.rows, cells)
	g.styles = append(g.styles, style)
}

// gap is the space between two columns.
const gap = 2

// table writes the grid within the screen's width.
func (t *terminal) table(g grid) {
	widths := g.fit(t.Width)
	var names []string
	for _, h := range g.head {
		names = append(names, strings.TrimPrefix(h, ">"))
	}
	t.row(g, widths, names, func(int) string { return styleDim })
	for i, r := range g.rows {
		t.row(g, widths, r, func(col int) string {
			if col == 0 {
				return g.styles[i]
			}
			return ""
		})
	}
}

func (t *terminal) row(g grid, widths []int, cells []string, style func(col int) string) {
	lines := make([][]string, len(cells))
	high := 0
	for c, cell := range cells {
		for part := range strings.SplitSeq(cell, "\n") {
			lines[c] = append(lines[c], wrap(part, widths[c])...)
		}
		high = max(high, len(lines[c]))
	}
	for l := range high {
		var b strings.Builder
		for c := range cells {
			s := ""
			if l < len(lines[c]) {
				s = lines[c][l]
			}
			pad := strings.Repeat(" ", max(0, widths[c]-columns(s)))
			if strings.HasPrefix(g.head[c], ">") {
				b.WriteString(pad + t.styled(style(c), s))
			} else {
				b.WriteString(t.styled(style(c), s) + pad)
			}
			if c < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", gap))
			}
		}
		t.line(b.String())
	}
}

// fit gives every column what its widest cell needs, and where that is more
// than the width, shares the width by weight.
func (g *grid) fit(width int) []int {
	need := make([]int, len(g.head))
	for _, cells := range append([][]string{g.head}, g.rows...) {
		for c, cell := range cells {
			for part := range strings.SplitSeq(strings.TrimPrefix(cell, ">"), "\n") {
				need[c] = max(need[c], columns(part))
			}
		}
	}
	widths := make([]int, len(need))
	left := width - gap*(len(need)-1)
	for c := range need {
		widths[c] = min(need[c], g.least[c])
		left -= widths[c]
	}
	for left > 0 { // a column at a time, to whoever has the least for its weight
		best := -1
		for c := range need {
			if widths[c] < need[c] && (best < 0 || share(widths[c], g.weight[c]) < share(widths[best], g.weight[best])) {
				best = c
			}
		}
		if best < 0 {
			break
		}
		widths[best]++
		left--
	}
	return widths
}

func share(width, weight int) float64 { return float64(width) / (float64(weight) + 0.5) }

// unitBreak is the space between a number and its unit, where no line may end.
var unitBreak = regexp.MustCompile(`(\d) (ms|µs|s|min|%|B|KiB|MiB|GiB|TiB)\b?`)

// wrap breaks a text between words into lines of at most width columns. A word
// that is longer is broken anywhere, and a number keeps its unit.
func wrap(s string, width int) []string {
	width = max(width, 4)
	s = unitBreak.ReplaceAllString(s, "$1\u00a0$2")
	var lines []string
	line := ""
	for word := range strings.SplitSeq(s, " ") {
		if word == "" {
			continue
		}
		if line != "" && columns(line)+1+columns(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for columns(word) > width {
			head, tail := cutAt(word, width)
			lines, word = append(lines, head), tail
		}
		line = word
	}
	if line != "" || len(lines) == 0 {
		lines = append(lines, line)
	}
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "\u00a0", " ")
	}
	return lines
}

// cutAt cuts a word so that the head has at most width columns, and at least
// one character.
func cutAt(word string, width int) (head, tail string) {
	used := 0
	for i, r := range word {
		if used += runeColumns(r); used > width && i > 0 {
			return word[:i], word[i:]
		}
	}
	return word, ""
}

// columns is how many columns of a terminal a text takes.
func columns(s string) (n int) {
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// runeColumns is 0 for what combines with its neighbour, 2 for the wide
// characters of East Asia and emoji, else 1.
func runeColumns(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r < 0x1100:
		return 1
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana),
		r >= 0x3000 && r <= 0x303e, r >= 0xff01 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}
