package unit

import (
	"encoding"
	"fmt"
	"math"
	"strings"
	"time"
)

// quantity is what a distribution is of.
type quantity interface {
	Duration | Size
	fmt.Stringer
}

// distribution is how values of a quantity spread: all alike, evenly between
// two, exponentially, or log-normally by a median and a p99.
type distribution[T quantity] struct {
	shape string // "", "..", "exponential", "lognormal"
	a, b  T      // the value; the ends; the mean; the median and the p99
}

// z99 is the standard normal distribution's quantile of .99.
const z99 = 2.3263478740408408

// at returns the quantile u of [0, 1).
func (d distribution[T]) at(u float64) T {
	a, b := float64(d.a), float64(d.b)
	switch d.shape {
	case "..":
		return T(a + u*(b-a))
	case "exponential":
		return T(-a * math.Log1p(-u))
	case "lognormal":
		u = min(max(u, 1e-12), 1-1e-12)
		z := math.Sqrt2 * math.Erfinv(2*u-1)
		return T(a * math.Exp(z/z99*math.Log(b/a)))
	}
	return d.a
}

func (d distribution[T]) String() string {
	switch d.shape {
	case "..":
		return d.a.String() + ".." + d.b.String()
	case "exponential":
		return "exponential " + d.a.String()
	case "lognormal":
		return "lognormal " + d.a.String() + " p99 " + d.b.String()
	}
	return d.a.String()
}

// most is the largest value, or where there is none, the p99.9.
func (d distribution[T]) most() T {
	switch d.shape {
	case "..":
		return d.b
	case "":
		return d.a
	}
	return d.at(.999)
}

// parse reads the text of a distribution; parseOne reads one of its values.
func (d *distribution[T]) parse(text, noun, example string, parseOne func(string) (T, error)) error {
	words := strings.Fields(text)
	var texts []string
	*d = distribution[T]{}
	low, high, between := strings.Cut(text, "..")
	switch {
	case between:
		d.shape, texts = "..", []string{strings.TrimSpace(low), strings.TrimSpace(high)}
	case len(words) == 2 && words[0] == "exponential":
		d.shape, texts = words[0], words[1:]
	case len(words) == 4 && words[0] == "lognormal" && words[2] == "p99":
		d.shape, texts = words[0], []string{words[1], words[3]}
	case len(words) == 1:
		texts = words
	default:
		return fmt.Errorf("%q is not %s: write one such as %s, %s", text, noun, example, strings.Join(shapes(example), ", "))
	}
	for i, t := range texts {
		v, err := parseOne(t)
		if err != nil {
			return err
		}
		if i == 0 {
			d.a = v
		} else {
			d.b = v
		}
	}
	if d.shape == ".." && d.b < d.a || d.shape == "lognormal" && (d.b < d.a || d.a <= 0) {
		return fmt.Errorf("%q goes from %s down to %s: write the smaller one first", text, d.a, d.b)
	}
	return nil
}

// shapes are the ways to write a distribution of such values.
func shapes(example string) []string {
	return []string{example + ".." + example, "exponential " + example, "lognormal " + example + " p99 " + example}
}

// Durations is a distribution of durations: 1s, 1s..3s, exponential 5s, or
// lognormal 2s p99 10s.
type Durations struct{ d distribution[Duration] }

// OneDuration is the distribution of that duration alone.
func OneDuration(d time.Duration) Durations {
	return Durations{distribution[Duration]{a: Duration(d)}}
}

// BetweenDurations is the distribution of all durations from a to b alike.
func BetweenDurations(a, b time.Duration) Durations {
	return Durations{distribution[Duration]{shape: "..", a: Duration(a), b: Duration(b)}}
}

// At returns the quantile u of [0, 1): of a uniform random u, a random duration.
func (d Durations) At(u float64) time.Duration { return d.d.at(u).D() }

// Most is the largest duration, or where there is none, the p99.9.
func (d Durations) Most() time.Duration { return d.d.most().D() }

// String returns d as it is written in a scenario.
func (d Durations) String() string { return d.d.String() }

// Pattern is the regular expression of its text.
func (Durations) Pattern() string {
	one := `([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+`
	return "^(" + one + `|` + one + ` *\.\. *` + one + `|exponential ` + one + `|lognormal ` + one + ` p99 ` + one + ")$"
}

// Example is a valid text, for messages.
func (Durations) Example() string { return "1s..3s" }

// MarshalText implements encoding.TextMarshaler.
func (d Durations) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Durations) UnmarshalText(text []byte) error {
	return d.d.parse(string(text), "a distribution of durations", "1s", func(s string) (v Duration, err error) {
		return v, v.UnmarshalText([]byte(s))
	})
}

// Sizes is a distribution of sizes: 4KiB, 1KiB..64KiB, exponential 8KiB, or
// lognormal 4KiB p99 256KiB.
type Sizes struct{ d distribution[Size] }

// OneSize is the distribution of that size alone.
func OneSize(s Size) Sizes { return Sizes{distribution[Size]{a: s}} }

// At returns the quantile u of [0, 1), in bytes.
func (s Sizes) At(u float64) int64 { return s.d.at(u).Bytes() }

// Most is the largest size, or where there is none, the p99.9, in bytes.
func (s Sizes) Most() int64 { return s.d.most().Bytes() }

// String returns s as it is written in a scenario.
func (s Sizes) String() string { return s.d.String() }

// Pattern is the regular expression of its text.
func (Sizes) Pattern() string {
	one := `[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB|TiB)`
	return "^(" + one + `|` + one + ` *\.\. *` + one + `|exponential ` + one + `|lognormal ` + one + ` p99 ` + one + ")$"
}

// Example is a valid text, for messages.
func (Sizes) Example() string { return "1KiB..64KiB" }

// MarshalText implements encoding.TextMarshaler.
func (s Sizes) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Sizes) UnmarshalText(text []byte) error {
	return s.d.parse(string(text), "a distribution of sizes", "4KiB", func(t string) (v Size, err error) {
		return v, v.UnmarshalText([]byte(t))
	})
}

// Both are texts in a scenario.
var (
	_ encoding.TextUnmarshaler = (*Durations)(nil)
	_ encoding.TextUnmarshaler = (*Sizes)(nil)
)
