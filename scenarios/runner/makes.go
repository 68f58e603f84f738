package runner

import (
	"cmp"
	"fmt"
	"time"

	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/workloads"
)

// Namespaces are those of what storm writes to observe a trial.
func Namespaces() []string { return []string{probeNamespace, witnessNamespace} }

// Makes is what storm makes in a trial to observe it, beside the loads.
func Makes(t scenarios.Trial) []workloads.Made {
	probes, witness := observing(t)
	return []workloads.Made{
		{Resource: "namespaces", Where: probeNamespace, Many: "1"},
		{Resource: "configmaps", Where: probeNamespace, Many: fmt.Sprintf("at %.3g/s by probes of each apiserver", probes)},
		{Resource: "namespaces", Where: witnessNamespace, Many: "1"},
		{Resource: "configmaps", Where: witnessNamespace, Many: fmt.Sprintf("at %.3g/s by the witness", witness)},
	}
}

// observing is how often a second each probe asks and each shard's witness writes.
func observing(t scenarios.Trial) (probes, witness float64) {
	probes = float64(time.Second) / float64(cmp.Or(t.Measure.Probes.Interval.D(), measure.ProbeInterval))
	return probes, cmp.Or(t.Measure.Witness.Rate.PerSecond(), measure.WitnessRate)
}

// etcdWrites is how many writes a second storm makes to etcd itself to observe a
// trial: the witness to each shard, the probes to each member.
func etcdWrites(t scenarios.Trial) float64 {
	probes, witness := observing(t)
	return witness*float64(len(t.Cluster.AllShards())) + probes*float64(t.Cluster.Members())
}
