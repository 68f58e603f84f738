package ready

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestTailShowsThisProcessOnly(t *testing.T) {
	path := t.TempDir() + "/log"
	long := strings.Repeat("y", 400)
	write(t, path, "before\n")
	write(t, path, "one\ntwo\n\nthree\n"+long+"\nlast")
	for _, c := range []struct {
		from int64
		n    int
		want []string
	}{
		{7, 9, []string{"one", "two", "three", long[:300] + "…", "last"}},
		{7, 2, []string{long[:300] + "…", "last"}},
		{0, 2, []string{"before", "one", "two", "…", long[:300] + "…", "last"}},
		{9999, 2, nil},
	} {
		if got := LastLines(path, c.from, c.n); !slices.Equal(got, c.want) {
			t.Errorf("%d lines from %d: got %q, want %q", c.n, c.from, got, c.want)
		}
	}
	write(t, path, strings.Repeat("\nmore", shortLog))
	if got := LastLines(path, 0, 2); !slices.Equal(got, []string{"more", "more"}) {
		t.Errorf("of a long log: %q", got)
	}
	if got := LastLines(path+".absent", 0, 3); got != nil {
		t.Errorf("of no file: %q", got)
	}
}
