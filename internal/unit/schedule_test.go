package unit

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSchedules(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		text, written string // empty: as it was
		legs          []Leg
		peak          Rate
	}{
		{text: "100/s", legs: []Leg{{100, 100, 0}}, peak: 100},
		{text: "30/m", legs: []Leg{{.5, .5, 0}}, peak: .5},
		{text: "0/s", legs: []Leg{{0, 0, 0}}},
		{text: "0/s..500/s over 60s", written: "0/s..500/s over 1m", legs: []Leg{{0, 500, 60 * s}, {500, 500, 0}}, peak: 500},
		{text: "500/s..20/m over 30s", legs: []Leg{{500, 20. / 60, 30 * s}, {20. / 60, 20. / 60, 0}}, peak: 500},
		{text: "100/s for 30s, 200/s for 30s, 400/s", legs: []Leg{{100, 100, 30 * s}, {200, 200, 30 * s}, {400, 400, 0}}, peak: 400},
		{text: "0/s for 10s, 7/h for 1h30m", legs: []Leg{{0, 0, 10 * s}, {7. / 3600, 7. / 3600, 5400 * s}}, peak: 7. / 3600},
		{text: " 1/s .. 5/s  over  4s ,5/s for 500ms,0/s", written: "1/s..5/s over 4s, 5/s for 500ms, 0/s", legs: []Leg{{1, 5, 4 * s}, {5, 5, s / 2}, {0, 0, 0}}, peak: 5},
		{text: "5/s..5/s over 3s, 1/s", written: "5/s for 3s, 1/s", legs: []Leg{{5, 5, 3 * s}, {1, 1, 0}}, peak: 5},
	} {
		var got Schedule
		if err := got.UnmarshalText([]byte(c.text)); err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if c.written == "" {
			c.written = c.text
		}
		if got.String() != c.written || !slices.Equal(got.Legs(), c.legs) || got.Peak() != c.peak || got.Zero() != (c.peak == 0) {
			t.Errorf("%q: written as %q, legs %v, peak %v, zero %v", c.text, got, got.Legs(), got.Peak(), got.Zero())
		}
		if !regexp.MustCompile(got.Pattern()).MatchString(c.text) {
			t.Errorf("%q does not match %s", c.text, got.Pattern())
		}
	}
	if s := Steady(20); s.String() != "20/s" || !(Schedule{}).Zero() {
		t.Errorf("got %s", s)
	}
}

func TestSchedulesThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "is not a rate",
		"fast":                       "is not a rate",
		"100":                        "is not a rate",
		"-0/s":                       "is negative",
		"-1/s":                       "is negative",
		"100/s over 30s":             "is not a rate",
		"100/s for":                  "is not a rate",
		"100/s for 30":               "has no unit",
		"100/s for 0s":               "takes no time",
		"100/s,":                     "has no end, so that \"\" never comes",
		"100/s, 200/s for 3s":        "has no end, so that \"200/s for 3s\" never comes",
		"100/s for 3s, 200/s, 300/s": "has no end, so that \"300/s\" never comes",
		"0/s..500/s":                 "how long the ramp takes",
		"0/s..500/s for 60s":         "how long the ramp takes",
		"0/s..500/s over 0s":         "takes no time",
		"0/s..500/s over a while":    "is not a duration",
		"0/s..":                      "how long the ramp takes",
		"..5/s over 3s":              "is not a rate",
		"1/s..2/s..3/s over 3s":      "is not a rate",
		"1/s for 9999h, 2/s for 2h":  "limit of 10000h",
		strings.Repeat("1/s for 1s,", 1000) + "1/s": "above the limit of 1000",
	} {
		var s Schedule
		err := s.UnmarshalText([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v and %v, want an error with %q", text, s, err, want)
		}
	}
}

// FuzzSchedule: what a schedule writes, it reads back as the same, and the
// pattern of the JSON Schema takes it.
func FuzzSchedule(f *testing.F) {
	for _, seed := range []string{"100/s", "0/s..500/s over 60s", "1/h for 1ns, 3/m..1/s over 2h, .5/s", "1/s,", "1e300/s", "0.0000001/s"} {
		f.Add(seed)
	}
	pattern := regexp.MustCompile(Schedule{}.Pattern())
	f.Fuzz(func(t *testing.T, text string) {
		var s, again Schedule
		if s.UnmarshalText([]byte(text)) != nil {
			return
		}
		if err := again.UnmarshalText([]byte(s.String())); err != nil || !slices.Equal(again.Legs(), s.Legs()) || !pattern.MatchString(s.String()) {
			t.Errorf("%q: %s, then %s (%v)", text, s, again, err)
		}
	})
}
