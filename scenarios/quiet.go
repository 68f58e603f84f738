package scenarios

import (
	"cmp"
	"slices"
	"time"

	"github.com/storm-harness/storm/internal/unit"
)

// Where nothing is broken, there is no recovery to time and nothing that could
// lose a write but the load itself; 20 writes a second to each shard and as many
// probes of each endpoint would be storm's largest load on two cores. There it
// probes and writes so often, unless the scenario says otherwise.
const (
	quietInterval = unit.Duration(time.Second)
	quietRate     = unit.Rate(1)
)

// breaks says whether a timeline of the scenario has an act. The scenario decides
// how it is observed, not the one timeline: what is compared with a trial that
// breaks something, or stands for it, is observed alike.
func (d *document) breaks() bool {
	timelines := [][]step{d.Spec.Timeline}
	for _, t := range d.Spec.Tours {
		timelines = append(timelines, t.Timeline)
	}
	return slices.ContainsFunc(timelines, func(steps []step) bool { return len(placed("", steps)) > 0 })
}

// observing returns how a trial is observed.
func (s *Scenario) observing(m Measure) Measure {
	if !s.breaks {
		m.Probes.Interval = cmp.Or(m.Probes.Interval, quietInterval)
		m.Witness.Rate = cmp.Or(m.Witness.Rate, quietRate)
	}
	return m
}
