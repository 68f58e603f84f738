package fleet

import (
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
)

// series is where the fleet's requests are counted.
type series struct {
	nodeCreate, nodeGet                *measure.Series
	csiCreate, csiGet                  *measure.Series
	leaseUpdate, leaseGet, leaseCreate *measure.Series
	renewal                            *measure.Series // heartbeats, whatever requests they took
	status                             *measure.Series
	podGet, podStatus, podDelete       *measure.Series
	events, tokens                     *measure.Series
}

const leases = "leases.coordination.k8s.io"

func newSeries(env Env) series {
	of := func(verb, resource string) *measure.Series {
		return env.Recorder.Series(rundir.Key{Workload: env.Workload, Verb: verb, Resource: resource, Scope: "resource"})
	}
	return series{
		nodeCreate: of("create", "nodes"), nodeGet: of("get", "nodes"),
		csiCreate: of("create", "csinodes.storage.k8s.io"), csiGet: of("get", "csinodes.storage.k8s.io"),
		leaseUpdate: of("update", leases), leaseGet: of("get", leases), leaseCreate: of("create", leases),
		renewal:   env.Recorder.Series(rundir.Key{Workload: env.Workload, Verb: rundir.VerbRenew, Resource: leases, Scope: "resource", Via: ViaWatch}),
		status:    of("patch", "nodes/status"),
		podGet:    of("get", "pods"),
		podStatus: of("patch", "pods/status"), podDelete: of("delete", "pods"),
		events: of("create", "events"), tokens: of("create", "serviceaccounts/token"),
	}
}
