package report

import (
	"strconv"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// seen is what the servers said of themselves in a trial's measured phases: one
// entry a component and sample.
type seen struct {
	samples    map[seenKey]*seenSample
	components map[string]bool // that told anything yet
}

type seenKey struct{ component, sample string }

// seenSample is a sample over a trial. A counter that falls was begun anew by a
// new process: then all that it shows is new.
type seenSample struct {
	name   string
	labels map[string]string

	last      float64
	increase  float64 // of a counter, in the measured phases
	first     float64 // of a gauge, in the measured phases
	peak, end float64
	counted   int // scrapes in the measured phases
}

// scraped adds a scrape. A counter that was not there when its component told of itself
// before was 0 then, as the one of rejections for a reason is that nothing met before.
func (t *trial) scraped(s rundir.Scrape) {
	if s.Err != "" || len(s.Samples) == 0 {
		return
	}
	if t.seen.samples == nil {
		t.seen = seen{map[seenKey]*seenSample{}, map[string]bool{}}
	}
	again := t.seen.components[s.Component]
	t.seen.components[s.Component] = true
	counts := t.counts(rundir.Gate{}, t.phaseAt(s.At))
	for text, v := range s.Samples {
		if !strings.HasPrefix(text, "apiserver_flowcontrol_") && !strings.HasPrefix(text, "etcd_") {
			continue
		}
		k := seenKey{s.Component, text}
		x := t.seen.samples[k]
		if x == nil {
			name, labels := labelsOf(text)
			x = &seenSample{name: name, labels: labels}
			if !again {
				x.last = v // how much of it is of this trial is not known
			}
			t.seen.samples[k] = x
		}
		if d := v - x.last; counts && d >= 0 {
			x.increase += d
		} else if counts {
			x.increase += v
		}
		x.last = v
		if counts {
			if x.counted++; x.counted == 1 {
				x.first = v
			}
			x.peak, x.end = max(x.peak, v), v
		}
	}
}

// labelsOf takes a sample's text apart: name{label="value",…}.
func labelsOf(text string) (name string, labels map[string]string) {
	name, rest, _ := strings.Cut(text, "{")
	labels = map[string]string{}
	for rest != "" && rest != "}" {
		label, after, ok := strings.Cut(rest, "=")
		quoted, err := strconv.QuotedPrefix(after)
		if !ok || err != nil {
			break
		}
		labels[label], _ = strconv.Unquote(quoted) // it is a quoted string
		rest = strings.TrimPrefix(after[len(quoted):], ",")
	}
	return name, labels
}
