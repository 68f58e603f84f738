package scenarios

import (
	"github.com/storm-harness/storm/clusters/local"
	"github.com/storm-harness/storm/faults"
	"github.com/storm-harness/storm/operations"
	"github.com/storm-harness/storm/workloads"
)

// testKinds are the real tables: what the fixtures say of them is true of storm.
func testKinds() Kinds {
	return Kinds{Workloads: workloads.Kinds, Faults: faults.Kinds, Operations: operations.Kinds, Cluster: local.Check}
}
