package unit

import (
	"encoding"
	"testing"
	"time"
)

func TestTexts(t *testing.T) {
	for _, c := range []struct {
		into encoding.TextUnmarshaler
		text string
		want any // what String gives; nil: refused
	}{
		{new(Duration), "250ms", "250ms"},
		{new(Duration), "5m", "5m"},
		{new(Duration), "1h30m", "1h30m"},
		{new(Duration), "10", nil},
		{new(Duration), "-1s", nil},
		{new(Duration), "soon", nil},
		{new(Rate), "200/s", "200/s"},
		{new(Rate), "30/m", "30/m"},
		{new(Rate), "200", nil},
		{new(Rate), "-1/s", nil},
		{new(Rate), "NaN/s", nil},
		{new(Rate), "Inf/s", nil},
		{new(Rate), "1/day", nil},
		{new(Size), "64MiB", "64MiB"},
		{new(Size), "1.5KiB", "1536B"},
		{new(Size), "0B", "0B"},
		{new(Size), "64MB", nil},
		{new(Size), "64", nil},
		{new(Size), "99999999999TiB", nil},
		{new(Percent), "25%", "25%"},
		{new(Percent), "0.25", nil},
		{new(Percent), "-1%", nil},
	} {
		err := c.into.UnmarshalText([]byte(c.text))
		switch {
		case c.want == nil && err == nil:
			t.Errorf("%T takes %q", c.into, c.text)
		case c.want != nil && err != nil:
			t.Errorf("%T refuses %q: %v", c.into, c.text, err)
		case c.want != nil:
			if got := c.into.(interface{ String() string }).String(); got != c.want {
				t.Errorf("%T writes %q as %q, want %q", c.into, c.text, got, c.want)
			}
		}
	}
}

func TestRateInterval(t *testing.T) {
	for rate, want := range map[Rate]time.Duration{0: 0, 1: time.Second, 200: 5 * time.Millisecond, 0.5: 2 * time.Second} {
		if got := rate.Interval(); got != want {
			t.Errorf("%s is one every %s, want %s", rate, got, want)
		}
	}
}

// FuzzTexts: what a type writes, it reads back as the same.
func FuzzTexts(f *testing.F) {
	for _, seed := range []string{"250ms", "200/s", "64MiB", "25%", "1e9999/s", "-0%", "9223372036854775807B", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var size, again Size
		if size.UnmarshalText([]byte(text)) == nil {
			if err := again.UnmarshalText([]byte(size.String())); err != nil || again != size {
				t.Errorf("size %q: %d, then %d (%v)", text, size, again, err)
			}
		}
		var d, back Duration
		if d.UnmarshalText([]byte(text)) == nil {
			if err := back.UnmarshalText([]byte(d.String())); err != nil || back != d {
				t.Errorf("duration %q: %s, then %s (%v)", text, d, back, err)
			}
		}
		_ = new(Rate).UnmarshalText([]byte(text))
		_ = new(Percent).UnmarshalText([]byte(text))
	})
}
