package report

import (
	"fmt"
	"slices"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report/stats"
)

// busyShare is the share of the machine's processor time, used by storm and the
// control plane together, from which on the machine counts as saturated.
const busyShare = .9

// saturation says whether storm or the server was at its limit in the steady
// phases; empty where nothing is known of that.
func saturation(run rundir.Run, trials []*trial) string {
	cores := float64(run.Host.Cores)
	var server, storm []float64 // processors in use, a trial
	late, looked := 0, 0
	for _, t := range trials {
		if t.state != TrialValid && t.state != TrialInvalid {
			continue
		}
		looked++
		if len(t.done.Health.Problems) > 0 {
			late++
		}
		g := gateOn("process.cpu", "phase", "steady")
		own := gateOn("process.cpu", "phase", "steady", "component", "storm")
		span := t.seconds(g)
		all, mine := t.cpu(g), t.cpu(own)
		if span > 0 && all.samples > 0 && mine.samples > 0 {
			server, storm = append(server, all.v/span), append(storm, mine.v/span)
		}
	}
	if len(server) == 0 || cores == 0 {
		return ""
	}
	slices.Sort(server)
	slices.Sort(storm)
	s, m := stats.Median(server), stats.Median(storm)
	text := fmt.Sprintf("In the steady phases the control plane used %s and storm %s of %d processor cores (median of %s): ",
		digits(s), digits(m), run.Host.Cores, unit.Count(len(server), "trial"))
	switch {
	case late > 0 && 2*late >= looked:
		return text + "storm itself could not keep up with its load, so that the figures may be its own."
	case s+m >= busyShare*cores:
		return text + "the machine was saturated, and storm kept up with its load; latencies are those of a server at its limit."
	}
	return text + "neither was at its limit."
}
