package render

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/storm-harness/storm/report"
)

// TestTerminalFits: no line is wider than the screen, whatever the texts hold;
// only the report's path may be, because it is for copying.
func TestTerminalFits(t *testing.T) {
	t.Parallel()
	long := quickstart()
	for i := range long.Gates {
		long.Gates[i].Note = strings.Repeat("漢字", 40) + strings.Repeat("x", 200)
	}
	for i := range long.Recovery {
		long.Recovery[i].Profile = strings.Repeat("profile-", 12)
	}
	for name, r := range map[string]*report.Result{"quickstart": quickstart(), "long": long, "hostile": hostile(true), "empty": {Headline: []string{"Nothing."}}} {
		for _, width := range []int{72, 80, 120} {
			var b bytes.Buffer
			if err := Terminal(&b, r, Screen{Width: width, Color: true, Report: strings.Repeat("/a-long-path", 20)}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				line = sgr.ReplaceAllString(strings.TrimSuffix(line, "\n"), "")
				if columns(line) > width && !strings.HasPrefix(line, "Report: ") {
					t.Errorf("%s at %d: %d columns: %s", name, width, columns(line), line)
				}
			}
		}
	}
}

// sgr are the escapes that storm itself writes.
var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

// TestTerminalPlain: without colour there is no escape, and with it only those
// that set a style; both say the same.
func TestTerminalPlain(t *testing.T) {
	t.Parallel()
	var bare, colored bytes.Buffer
	for _, x := range []struct {
		b     *bytes.Buffer
		color bool
	}{{&bare, false}, {&colored, true}} {
		if err := Terminal(x.b, hostile(false), Screen{Width: 80, Color: x.color, Report: "report.html"}); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(bare.String(), "\x1b") {
		t.Error("the plain screen holds an escape")
	}
	if colored.String() == bare.String() || sgr.ReplaceAllString(colored.String(), "") != bare.String() {
		t.Error("the coloured screen differs from the plain one in more than its colours")
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"", 10, ""},
		{"one two three", 8, "one two|three"},
		{"it took 250 ms", 11, "it took|250 ms"},
		{"unbreakable", 4, "unbr|eaka|ble"},
		{"漢字漢字", 5, "漢字|漢字"},
	} {
		if got := strings.Join(wrap(c.text, c.width), "|"); got != c.want {
			t.Errorf("wrap(%q, %d) = %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
