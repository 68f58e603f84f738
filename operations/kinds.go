// Package operations does what operators do to a running cluster: one file an
// operation, one line in Kinds. Each says what it takes, proves what it did,
// and goes through the same wrapper as a fault (package acts).
package operations

import (
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/unit"
)

// Kinds is the table of operations: the word in the scenario, and a new value
// with that kind's defaults.
var Kinds = map[string]func() acts.Act{
	"drain":   func() acts.Act { return &Drain{Share: .1, AtOnce: 1, Timeout: unit.Duration(5 * time.Minute)} },
	"compact": func() acts.Act { return &Compact{Shard: "main"} },
	"defrag":  func() acts.Act { return &Defrag{Shard: "main"} },
	"disarm":  func() acts.Act { return &Disarm{Shard: "main"} },
	"backup":  func() acts.Act { return &Backup{Shard: clusters.EveryShard} },
	"restore": func() acts.Act { return &Restore{Bump: "auto"} },
}
