// Package unit holds the quantities that a scenario is written in: durations,
// rates, sizes and percentages. Each is a text in YAML, so that a bare number,
// whose unit a reader would have to guess, is refused.
package unit

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time, written as Go writes it: 250ms, 10s, 5m.
type Duration time.Duration

// D returns d as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String returns d as it is written in a scenario: 5m rather than 5m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	for _, none := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, none) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// Pattern is the regular expression that a duration's text matches; it goes
// into the JSON Schema.
func (Duration) Pattern() string { return `^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$` }

// Example is a valid text, for messages.
func (Duration) Example() string { return "10s" }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It refuses a bare number
// and a negative duration.
func (d *Duration) UnmarshalText(text []byte) error {
	if _, err := strconv.ParseFloat(string(text), 64); err == nil {
		return fmt.Errorf("%q has no unit: write a duration such as 10s or 250ms", text)
	}
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration: write one such as 10s or 250ms", text)
	}
	if v < 0 {
		return fmt.Errorf("%q is negative: a duration is 0s or more", text)
	}
	*d = Duration(v)
	return nil
}

// Rate is a number of operations per second, written as a count over a unit
// of time: 200/s, 30/m.
type Rate float64

// PerSecond returns the rate in operations per second.
func (r Rate) PerSecond() float64 { return float64(r) }

// Interval returns the time between two operations at this rate, or 0 for a
// rate of zero.
func (r Rate) Interval() time.Duration {
	if r <= 0 {
		return 0
	}
	return time.Duration(math.Round(float64(time.Second) / float64(r)))
}

// perUnits are the units of time of a rate, in the order in which they are
// tried: below one a second, one a minute reads better.
var perUnits = []struct {
	name    string
	seconds float64
}{{"s", 1}, {"m", 60}, {"h", 3600}}

// String returns r as it is written in a scenario: the shortest text that is
// read as the same rate.
func (r Rate) String() string {
	for _, per := range perUnits {
		if per.seconds == 1 && r > 0 && r < 1 {
			continue
		}
		n, err := strconv.ParseFloat(strconv.FormatFloat(float64(r)*per.seconds, 'g', 6, 64), 64)
		if err == nil && Rate(n/per.seconds) == r {
			return strconv.FormatFloat(n, 'f', -1, 64) + "/" + per.name
		}
	}
	return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s"
}

// Pattern is the regular expression of a rate's text.
func (Rate) Pattern() string { return `^[0-9]+(\.[0-9]+)?/(s|m|h)$` }

// Example is a valid text, for messages.
func (Rate) Example() string { return "200/s" }

// MarshalText implements encoding.TextMarshaler.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Rate) UnmarshalText(text []byte) error {
	count, per, ok := strings.Cut(string(text), "/")
	seconds := map[string]float64{"s": 1, "m": 60, "h": 3600}[per]
	n, err := strconv.ParseFloat(count, 64)
	if !ok || seconds == 0 || err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return fmt.Errorf("%q is not a rate: write one such as 200/s or 30/m", text)
	}
	if math.Signbit(n) {
		return fmt.Errorf("%q is negative: a rate is 0/s or more", text)
	}
	*r = Rate(n / seconds)
	return nil
}

// Size is a number of bytes, written with a binary unit: 64MiB, 2GiB, 512KiB.
type Size int64

var sizeText = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(B|KiB|MiB|GiB|TiB)$`)

// Bytes returns the size in bytes.
func (s Size) Bytes() int64 { return int64(s) }

// String returns s in the largest unit that divides it.
func (s Size) String() string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, i := int64(s), 0
	for v != 0 && v%1024 == 0 && i < len(units)-1 {
		v, i = v/1024, i+1
	}
	return strconv.FormatInt(v, 10) + units[i]
}

// Pattern is the regular expression of a size's text.
func (Size) Pattern() string { return `^[0-9]+(\.[0-9]+)?(B|KiB|MiB|GiB|TiB)$` }

// Example is a valid text, for messages.
func (Size) Example() string { return "64MiB" }

// MarshalText implements encoding.TextMarshaler.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error {
	m := sizeText.FindStringSubmatch(string(text))
	if m == nil {
		return fmt.Errorf("%q is not a size: write one such as 64MiB or 2GiB", text)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return fmt.Errorf("%q is not a size: %w", text, err)
	}
	shift := map[string]int{"B": 0, "KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}[m[2]]
	n *= math.Pow(2, float64(shift))
	if n >= math.MaxInt64 {
		return fmt.Errorf("%q is too large", text)
	}
	*s = Size(n)
	return nil
}

// Percent is a share, written as 25%; its value is the fraction, 0.25.
type Percent float64

// Fraction returns the share as a fraction of one.
func (p Percent) Fraction() float64 { return float64(p) }

// String returns p as it is written in a scenario.
func (p Percent) String() string {
	return strconv.FormatFloat(float64(p)*100, 'g', 6, 64) + "%"
}

// Pattern is the regular expression of a percentage's text.
func (Percent) Pattern() string { return `^[0-9]+(\.[0-9]+)?%$` }

// Example is a valid text, for messages.
func (Percent) Example() string { return "25%" }

// MarshalText implements encoding.TextMarshaler.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Percent) UnmarshalText(text []byte) error {
	digits, ok := strings.CutSuffix(string(text), "%")
	n, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || math.IsNaN(n) || n < 0 {
		return fmt.Errorf("%q is not a percentage: write one such as 25%%", text)
	}
	*p = Percent(n / 100)
	return nil
}
