package unit

import (
	"encoding"
	"fmt"
	"strings"
	"time"
)

// Schedule is a rate over time, written as
//
//	100/s                                 constant
//	0/s..500/s over 60s                   a ramp; the rate then stays as it is
//	100/s for 30s, 200/s for 30s, 400/s   steps; the last has no end without a time
//
// The steps may be ramps too. A schedule whose last step is over asks for
// nothing more. Time counts from the beginning of the load.
type Schedule struct{ legs []Leg }

// Leg is a stretch of a schedule, in which the rate goes evenly from one to
// another.
type Leg struct {
	From, To Rate
	For      time.Duration // 0: without end, at the rate From
}

// Steady is the schedule of a constant rate.
func Steady(r Rate) Schedule { return Schedule{[]Leg{{From: r, To: r}}} }

// Legs are the stretches of the schedule, one after the other. The last has no
// end, or is the end of the schedule.
func (s Schedule) Legs() []Leg {
	if n := len(s.legs); n > 0 && s.legs[n-1].ramp() {
		stays := s.legs[n-1].To
		return append(s.legs[:n:n], Leg{From: stays, To: stays})
	}
	return s.legs
}

func (l Leg) ramp() bool { return l.From != l.To }

// Peak is the highest rate.
func (s Schedule) Peak() Rate {
	var peak Rate
	for _, l := range s.legs {
		peak = max(peak, l.From, l.To)
	}
	return peak
}

// Zero says whether the schedule asks for nothing, ever.
func (s Schedule) Zero() bool { return s.Peak() <= 0 }

// String returns s as it is written in a scenario.
func (s Schedule) String() string {
	texts := make([]string, len(s.legs))
	for i, l := range s.legs {
		texts[i] = l.String()
	}
	return strings.Join(texts, ", ")
}

func (l Leg) String() string {
	switch {
	case l.ramp():
		return l.From.String() + ".." + l.To.String() + " over " + Duration(l.For).String()
	case l.For > 0:
		return l.From.String() + " for " + Duration(l.For).String()
	}
	return l.From.String()
}

// Phrase returns s as it goes behind the word "at" in a sentence.
func (s Schedule) Phrase() string {
	texts := make([]string, len(s.legs))
	for i, l := range s.legs {
		texts[i] = l.String()
		if l.ramp() {
			texts[i] = fmt.Sprintf("%s going to %s within %s", l.From, l.To, Duration(l.For))
		}
	}
	return strings.Join(texts, ", then ")
}

// Pattern is the regular expression of its text.
func (Schedule) Pattern() string {
	rate, span := `[0-9]+(\.[0-9]+)?/(s|m|h)`, `([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+`
	ramp := rate + ` *\.\. *` + rate + ` +over +` + span
	timed := "(" + rate + " +for +" + span + "|" + ramp + ")"
	return "^ *(" + timed + " *, *)*(" + rate + "|" + timed + ") *$"
}

// Example is a valid text, for messages.
func (Schedule) Example() string { return "100/s" }

// MarshalText implements encoding.TextMarshaler.
func (s Schedule) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// What a schedule may have of legs and of time; beyond it, it is a mistake.
const (
	maxLegs = 1000
	maxSpan = 10_000 * time.Hour
)

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Schedule) UnmarshalText(text []byte) error {
	parts := strings.Split(string(text), ",")
	if len(parts) > maxLegs {
		return fmt.Errorf("%d steps are above the limit of %d", len(parts), maxLegs)
	}
	legs := make([]Leg, len(parts))
	left := maxSpan
	for i, part := range parts {
		if err := legs[i].parse(strings.TrimSpace(part)); err != nil {
			return err
		}
		if legs[i].For == 0 && i < len(parts)-1 {
			return fmt.Errorf("%q has no end, so that %q never comes: write how long it holds, such as %s for 30s",
				legs[i], strings.TrimSpace(parts[i+1]), legs[i])
		}
		if legs[i].For > left {
			return fmt.Errorf("%q takes longer than the limit of %s", text, Duration(maxSpan))
		}
		left -= legs[i].For
	}
	s.legs = legs
	return nil
}

// parse reads one step.
func (l *Leg) parse(text string) error {
	words := strings.Fields(text)
	low, high, between := strings.Cut(text, "..")
	switch {
	case between:
		high, span, timed := strings.Cut(high, " over ")
		if !timed {
			return fmt.Errorf("%q does not say how long the ramp takes: write it such as 0/s..500/s over 60s", text)
		}
		return l.read(text, low, high, span)
	case len(words) == 1:
		return l.read(text, text, text, "")
	case len(words) == 3 && words[1] == "for":
		return l.read(text, words[0], words[0], words[2])
	}
	return fmt.Errorf("%q is not a rate: write one such as 200/s, 0/s..500/s over 60s, or 100/s for 30s, 200/s", text)
}

// read sets l; an empty span is none.
func (l *Leg) read(text, from, to, span string) error {
	var d Duration
	if err := l.From.UnmarshalText([]byte(strings.TrimSpace(from))); err != nil {
		return err
	}
	if err := l.To.UnmarshalText([]byte(strings.TrimSpace(to))); err != nil {
		return err
	}
	if span != "" {
		if err := d.UnmarshalText([]byte(strings.TrimSpace(span))); err != nil {
			return err
		}
		if d == 0 {
			return fmt.Errorf("%q takes no time", text)
		}
	}
	l.For = d.D()
	return nil
}

// A schedule is a text in a scenario.
var _ encoding.TextUnmarshaler = (*Schedule)(nil)
