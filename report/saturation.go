package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report/stats"
)

// busyShare is the share of the machine's processor time, used by storm, the
// control plane and everything else together, from which on the machine counts as saturated.
const busyShare = .9

// saturation says whether storm or the server was at its limit in the steady
// phases, under the profile that used the most, or that nothing is known of that; and
// behind it what is known of queues and of disks, if anything.
func saturation(run rundir.Run, trials []*trial, queues, disks string) string {
	cores := float64(run.Host.Cores)
	looked := 0
	var late []string
	for _, t := range trials {
		if t.state == TrialValid || t.state == TrialInvalid {
			looked++
			if len(t.done.Health.Problems) > 0 {
				late = append(late, t.ID)
			}
		}
	}
	most := used{}
	for _, p := range run.Profiles {
		if u := usedBy(trials, p.Name); u.server+u.storm > most.server+most.storm {
			most, most.profile = u, p.Name
		}
	}
	if most.trials == 0 || cores == 0 {
		return joined("How busy the machine was in the steady phases is not known.", queues, disks)
	}
	of := "median of " + unit.Count(most.trials, "trial")
	if len(run.Profiles) > 1 {
		of += " with " + most.profile + ", the most of all profiles"
	}
	others := ""
	if b, id := besideMost(trials); id != "" {
		others = fmt.Sprintf("; everything else on the machine took at most %s, in %s", digits(b.all()), id)
	}
	text := fmt.Sprintf("In the steady phases the control plane used %s and storm %s of %d processor cores (%s)%s: ", digits(most.server), digits(most.storm), run.Host.Cores, of, others)
	switch {
	case len(late) > 0 && 2*len(late) >= looked:
		text += "storm itself could not keep up with its load, so that the figures may be its own."
	case most.server+most.storm+most.others >= busyShare*cores:
		text += "the machine was saturated, and storm kept up with its load" + butIn(late) + "; latencies are those of a server at its limit."
	default:
		text += "the processors were not full"
		var unknown []string
		if disks == "" {
			unknown = append(unknown, "disks")
		}
		if queues == "" {
			unknown = append(unknown, "queues")
		}
		if len(unknown) > 0 {
			text += ", which says nothing of " + listed(unknown)
		}
		if len(late) > 0 {
			text += "; storm kept up with its load" + butIn(late)
		}
		text += "."
	}
	return joined(text, queues, disks)
}

// quietPhases are those without a fault, an operation, or what comes after: between
// phases there is none of them either.
var quietPhases = map[string]bool{"": true, "warmup": true, "steady": true, "cooldown": true}

// lateBeside says how late storm itself was while something was broken or done, which no
// trial is invalid for: what the machine went through may be the reason, and latencies
// count from the intended time. Empty where nothing was sent late.
func lateBeside(trials []*trial) string {
	var worst *trial
	for _, t := range trials {
		if t.state == TrialValid && t.late > 0 && (worst == nil || t.late > worst.late) {
			worst = t
		}
	}
	if worst == nil {
		return ""
	}
	return fmt.Sprintf("Beside faults and operations storm sent up to %s late (in %s); that is in the latencies, and no trial is invalid for it.", formatSeconds(float64(worst.late)/1e9), worst.ID)
}

// joined is sentences that are there, one after the other.
func joined(sentences ...string) string {
	return strings.Join(slices.DeleteFunc(sentences, func(s string) bool { return s == "" }), " ")
}

// mostNamed is how many trials a sentence names.
const mostNamed = 5

// butIn says in which trials something was otherwise; empty where in none.
func butIn(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	named := slices.Clone(ids[:min(len(ids), mostNamed)])
	if more := len(ids) - len(named); more > 0 {
		named = append(named, fmt.Sprintf("%d more", more))
	}
	return ", but in " + listed(named)
}

// used is how many processors a profile's trials took in the steady phases.
type used struct {
	profile       string
	server, storm float64 // medians
	others        float64 // median of what everything else took
	trials        int
}

func usedBy(trials []*trial, profile string) used {
	var server, storm, others []float64
	for _, t := range trials {
		if t.Profile != profile || t.state != TrialValid && t.state != TrialInvalid {
			continue
		}
		g := gateOn("process.cpu", "phase", "steady")
		own := gateOn("process.cpu", "phase", "steady", "component", rundir.StormComponent)
		span := t.seconds(g)
		all, mine := t.cpu(g), t.cpu(own)
		if span > 0 && all.samples > 0 && mine.samples > 0 {
			beside, _ := t.besideIn("steady") // none, of a run of before that was sampled
			server, storm, others = append(server, all.v/span), append(storm, mine.v/span), append(others, beside.all())
		}
	}
	if len(server) == 0 {
		return used{}
	}
	slices.Sort(server)
	slices.Sort(storm)
	slices.Sort(others)
	return used{server: stats.Median(server), storm: stats.Median(storm), others: stats.Median(others), trials: len(server)}
}
