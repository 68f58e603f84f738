package scenarios

import (
	"cmp"
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

// observing returns how a trial is observed. The scenario decides, not the one
// timeline: what is compared with a trial that breaks something is observed alike.
func (c *check) observing() Measure {
	m, acts := c.doc.Spec.Measure, 0
	c.eachAct(func(placedAct) { acts++ })
	if acts == 0 {
		m.Probes.Interval = cmp.Or(m.Probes.Interval, quietInterval)
		m.Witness.Rate = cmp.Or(m.Witness.Rate, quietRate)
	}
	return m
}
