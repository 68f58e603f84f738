package report

import (
	"fmt"

	"github.com/storm-harness/storm/internal/rundir"
)

// besideShare is the share of a machine's processors, taken by others than the
// control plane and storm, from which on a reader is warned of it.
const besideShare = .1

// machine is a sample of the whole machine's processor time, in seconds.
type machine struct {
	at           int64
	used, stolen float64
}

// beside is what others than the control plane and storm took of the processors.
type beside struct {
	others float64 // cores: other processes of the machine, kernel threads included
	stolen float64 // cores: other machines of the same hypervisor
}

func (b beside) all() float64 { return b.others + b.stolen }

// besideIn measures that in the phases that a gate on processor time looks at; ok
// is false where the machine's own time was not sampled.
func (t *trial) besideIn(phase string) (b beside, ok bool) {
	of := gateOn("process.cpu", "phase", phase)
	var used, stolen, span float64
	for i := 1; i < len(t.machine); i++ {
		from, to := t.machine[i-1], t.machine[i]
		if t.counts(of, t.phaseAt(from.at+(to.at-from.at)/2)) {
			used += to.used - from.used
			stolen += to.stolen - from.stolen
			span += float64(to.at-from.at) / 1e9
		}
	}
	of.Where["component"] = rundir.StormComponent
	server, own := t.cpu(gateOn("process.cpu", "phase", phase)), t.cpu(of)
	if span <= 0 || server.samples == 0 || own.samples == 0 {
		return beside{}, false
	}
	return beside{others: max(0, used-server.v-own.v) / span, stolen: stolen / span}, true
}

// warnBeside warns, in each trial, of others that took much of the processors: its
// latencies are theirs too.
func warnBeside(run rundir.Run, trials []*trial) {
	for _, t := range trials {
		b, ok := t.besideIn("steady")
		if ok && run.Host.Cores > 0 && b.all() >= besideShare*float64(run.Host.Cores) {
			t.warnings = append(t.warnings, fmt.Sprintf("others took %s of the machine's %d cores in the steady phases (processes beside the control plane and storm %s, the hypervisor %s): the latencies are theirs too",
				digits(b.all()), run.Host.Cores, digits(b.others), digits(b.stolen)))
		}
	}
}

// besideMost is the trial in which others took the most of the processors.
func besideMost(trials []*trial) (most beside, id string) {
	for _, t := range trials {
		if t.Discarded {
			continue
		}
		if b, ok := t.besideIn("steady"); ok && (id == "" || b.all() > most.all()) {
			most, id = b, t.ID
		}
	}
	return most, id
}
