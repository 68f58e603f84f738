package main

import (
	"github.com/storm-harness/storm/faults"
	"github.com/storm-harness/storm/operations"
	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/workloads"
)

// kinds are the tables of everything that this storm can do.
func kinds() scenarios.Kinds {
	return scenarios.Kinds{Workloads: workloads.Kinds, Faults: faults.Kinds, Operations: operations.Kinds, Cluster: checkCluster}
}
