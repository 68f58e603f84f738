package runner

import (
	"fmt"
	"time"

	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/workloads"
)

// Namespaces are those of what storm writes to observe a trial.
func Namespaces() []string { return []string{probeNamespace, witnessNamespace} }

// Makes is what storm makes in a trial to observe it, beside the loads.
func Makes(t scenarios.Trial) []workloads.Made {
	interval := t.Measure.Probes.Interval.D()
	if interval == 0 {
		interval = defaultInterval
	}
	rate := t.Measure.Witness.Rate.PerSecond()
	if rate == 0 {
		rate = defaultRate
	}
	return []workloads.Made{
		{Resource: "namespaces", Where: probeNamespace, Many: "1"},
		{Resource: "configmaps", Where: probeNamespace, Many: fmt.Sprintf("at %.3g/s by probes of each apiserver", float64(time.Second)/float64(interval))},
		{Resource: "namespaces", Where: witnessNamespace, Many: "1"},
		{Resource: "configmaps", Where: witnessNamespace, Many: fmt.Sprintf("at %.3g/s by the witness", rate)},
	}
}

// What package measure takes where a scenario says nothing.
const (
	defaultInterval = 50 * time.Millisecond
	defaultRate     = 20
)
