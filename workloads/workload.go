// Package workloads holds the loads that a scenario puts on a control plane.
// Every load is open-loop: package pace gives each request an intended time,
// and latency counts from there.
package workloads

import (
	"context"
	"log/slog"
	"time"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/measure"
)

// Workload is one load. Its exported fields are its YAML, decoded strictly.
type Workload interface {
	// Check returns what is wrong with the fields, one problem an entry, named
	// by field: "rate: must be above 0/s".
	Check() []string
	// Describe returns one sentence for a reader who has not seen the scenario.
	Describe() string
	// Prepare makes what the load needs before the measured time: namespaces,
	// nodes. It runs once a trial, with the cluster ready (but see Lasting).
	Prepare(ctx context.Context, env *Env) error
	// Run puts the load on until ctx ends; then it stops in good order and
	// returns nil. An error means that the load could not be put on, which
	// makes the trial invalid; failed requests are no error but data.
	Run(ctx context.Context, env *Env) error
}

// Lengthy is a load whose Prepare takes a while in each trial: roughly so long
// on a small machine.
type Lengthy interface{ Preparing() time.Duration }

// Lasting is a load whose Prepare makes what every trial begins with alike: where
// the cluster keeps golden copies it is made once, into one: then Prepare gets an Env
// without a Recorder and without Etcd, and the trials' Run one without REST.
type Lasting interface {
	// Population is what Prepare makes, in words of its own: equal texts are equal
	// populations.
	Population() (string, error)
}

// Needy is a load that needs of a cluster what only some can do.
type Needy interface{ Needs() []clusters.Capability }

// Releaser is a load that holds something from Prepare on, such as open
// connections. Release is called when the trial is over, also where Run never
// was, and may be called twice.
type Releaser interface{ Release() }

// Env is what a load works with.
type Env struct {
	Name     string          // the workload's name in the scenario
	Access   clusters.Access // admin access; loads make clients of their own from it
	REST     *rest.Config    // for this load: as its service account, no client-side throttling
	Admin    *rest.Config    // the same, as the administrator
	Recorder *measure.Recorder
	Clock    *measure.Clock
	Seed     int64  // of this trial and workload, for anything random; of the run for a Lasting one
	RunID    string // to label what the load makes
	Log      *slog.Logger
	// Etcd returns the https URLs of a shard's members; it is nil where the
	// cluster does not show its etcd, or not to write to.
	Etcd func(shard string) ([]string, error)
	// Progress is told how much of its preparation a load has done; it may be nil.
	Progress func(done, total int)
}

// Kinds is the table of workloads: the word in the scenario, and a new value
// with that kind's defaults.
var Kinds = map[string]func() Workload{
	"nodes":          newNodes,
	"eventChurn":     newEventChurn,
	"list":           newList,
	"deployments":    newDeployments,
	"rogueDaemonSet": newRogueDaemonSet,
	"informers":      newInformers,
	"jobs":           newJobs,
	"stages":         newStages,
	"namespaces":     newNamespaceChurn,
	"watchers":       newWatchers,
	"objectChurn":    newObjectChurn,
	"preload":        newPreload,
	"etcdDirect":     newEtcdDirect,
}
