package unit

import (
	"math"
	"regexp"
	"testing"
	"time"
)

func TestDistributions(t *testing.T) {
	for text, want := range map[string][3]time.Duration{ // at 0, .5 and .99
		"2s":                   {2 * time.Second, 2 * time.Second, 2 * time.Second},
		"1s..3s":               {time.Second, 2 * time.Second, 2980 * time.Millisecond},
		"exponential 10s":      {0, 6931471805, 46051701859},
		"lognormal 2s p99 10s": {-1, 2 * time.Second, 10 * time.Second},
	} {
		var d Durations
		if err := d.UnmarshalText([]byte(text)); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if d.String() != text || !regexp.MustCompile(d.Pattern()).MatchString(text) {
			t.Errorf("%s: written as %s, pattern %s", text, d, d.Pattern())
		}
		for i, u := range []float64{0, .5, .99} {
			if got := d.At(u); want[i] >= 0 && math.Abs(float64(got-want[i])) > 1000 {
				t.Errorf("%s at %v: %s, want %s", text, u, got, want[i])
			}
		}
		if d.At(math.Nextafter(1, 0)) < d.At(0) || d.Most() < d.At(.99) {
			t.Errorf("%s: most %s", text, d.Most())
		}
	}
	var s Sizes
	if err := s.UnmarshalText([]byte("1KiB..64KiB")); err != nil || s.At(0) != 1024 || s.Most() != 64<<10 {
		t.Errorf("%v, %v", s, err)
	}
}

func TestDistributionsThatAreNone(t *testing.T) {
	for _, text := range []string{"", "x", "3s..1s", "1s..", "..", "normal 3s", "lognormal 3s", "lognormal 0s p99 1s", "lognormal 5s p99 1s", "exponential", "5", "1s..2s..3s", "exponential -1s"} {
		var d Durations
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %s", text, d)
		}
	}
}
