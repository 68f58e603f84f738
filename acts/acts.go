// Package acts is what faults and operations have in common: both are done to
// a running cluster on purpose, both must be proven to have had their effect,
// and after both the cluster must be proven whole. Run is the one wrapper
// through which every one of them goes.
package acts

import (
	"context"
	"log/slog"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
)

// Act is one fault or operation. Its exported fields are its YAML.
type Act interface {
	// Check returns what is wrong with the fields, one problem an entry, named
	// by field.
	Check() []string
	// Describe returns one sentence for a reader who has not seen the scenario.
	Describe() string
	// Needs lists the capabilities that the act needs of a cluster.
	Needs() []clusters.Capability
	// Aim looks at the cluster, chooses what to hit and connects to what it
	// needs for that. It changes nothing: the time that it takes is not the
	// act's.
	Aim(ctx context.Context, env *Env) (Aimed, error)
}

// Aimed is an act that knows what it will hit, and then one that has been done.
type Aimed interface {
	// Target is what it hits: a component, a link, a shard.
	Target() Target
	// Inject does it. It runs once. Whatever was changed before an error, Heal
	// must be able to undo.
	Inject(ctx context.Context) error
	// Prove returns what was observed of the effect, as soon as it is, or an
	// error once ctx ends without. What was merely asked for is no proof.
	Prove(ctx context.Context) (string, error)
	// Heal puts back what the act changed. It is idempotent. For an operation
	// there may be nothing to put back.
	Heal(ctx context.Context) error
	// ProveHealed returns what was observed of the cluster being whole again,
	// or an error once ctx ends without. Connections end with it.
	ProveHealed(ctx context.Context) (string, error)
}

// Gradual is an act that has to build up before it bites. Until it says so by
// Env.Bites, it is not observed as closely as a fault is: close observation is
// a load, and would slow the building up.
type Gradual interface{ BuildsUp() }

// Passing is a fault that is over as soon as it is done, as a restart is: what
// it disturbed comes back by itself, and nothing is held.
type Passing interface{ Passes() }

// Target is what an act hit.
type Target struct {
	Shard string
	Name  string // a component, "a → b" for a link, or a shard
	// Began is when a fault that has to build up began to bite, ns since the
	// clock's origin: recovery counts from there. 0: at its intended instant.
	Began int64
	Down  []string // components that the act itself took out of service; no recovery is expected of them before the heal
	Facts map[string]float64
	Notes []string
}

// Env is what an act works with.
type Env struct {
	Cluster clusters.Cluster
	Clock   *measure.Clock
	Log     *slog.Logger
	// Fleets are the loads of simulated nodes, by their names in the scenario.
	Fleets map[string]Fleet
	// Dir is the trial's directory, for what an act leaves: a backup.
	Dir string
	// Act is the name of the act under way; Run sets it.
	Act string
	// Backups are the bundles taken so far in this trial, by the act's name;
	// LastBackup is the name of the newest.
	Backups    map[string]Backup
	LastBackup string
	// Restored is told of every restore, so that the witness's account knows
	// which writes must be gone.
	Restored func(Restore)
	// Bites is told by a gradual act that it has begun to bite.
	Bites func()
	// Mark takes the events of the act, for events.jsonl and the display.
	Mark func(rundir.Event)
	// RunID labels what the act makes.
	RunID string
}

// Backup is what a snapshot operation made.
type Backup struct {
	Dir       string            // the bundle
	Snapshots map[string]string // shard → snapshot file
	Revisions map[string]int64  // shard → revision of the snapshot
}

// Restore says that a shard's data went back to a snapshot.
type Restore struct {
	Act      string
	Shard    string
	Revision int64 // of the snapshot: acknowledged writes above it must be gone
	At       int64 // ns since the trial's origin, when the old members were stopped
}
