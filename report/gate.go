package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
)

// judgement is the state of judging a run's gates.
type judgement struct {
	run    rundir.Run
	trials []*trial
}

// gates judges every gate. The comparisons among them form one family for
// Holm's correction, which is made when all are known.
func (j *judgement) gates() []Gate {
	out := make([]Gate, 0, len(j.run.Gates))
	for _, g := range j.run.Gates {
		out = append(out, j.gate(g))
	}
	family := correct(out)
	for i := range out {
		j.conclude(&out[i], family)
	}
	return out
}

// gate measures a gate on the profiles it is about.
func (j *judgement) gate(g rundir.Gate) Gate {
	m, known := metricOf(g.Metric)
	if known && len(m.Stats) > 0 && g.Stat == "" {
		g.Stat = "p99"
	}
	out := Gate{Gate: g, Title: title(g, m.Unit), About: m.About, Unit: m.Unit, Lower: m.Lower}
	switch {
	case !known:
		out.Verdict, out.Reason = Invalid, "this version of storm does not know the metric "+g.Metric
	case g.Compare != "":
		j.compareGate(&out)
	case g.Max == nil && g.Min == nil:
		out.Verdict, out.Reason = Invalid, "the gate has neither a bound nor a profile to compare with"
	default:
		for _, p := range j.profilesOf(g) {
			out.Results = append(out.Results, j.absolute(g, m, p))
		}
	}
	return out
}

// conclude gives a gate the worst verdict of its profiles, and its reason.
func (j *judgement) conclude(g *Gate, family int) {
	for i := range g.Results {
		if c := g.Results[i].Comparison; c != nil {
			decide(&g.Results[i], c, family)
		}
	}
	if g.Verdict != "" {
		return
	}
	if len(g.Results) == 0 {
		g.Verdict, g.Reason = Invalid, "no trial of the plan is what this gate is about"
		return
	}
	said := make([]string, len(g.Results))
	for i, r := range g.Results {
		said[i] = r.Profile + ": " + r.Reason
	}
	half := j.halfWay(g)
	var all []Verdict
	for _, r := range g.Results {
		all = append(all, r.Verdict)
	}
	g.Verdict = Worst(all...)
	var reasons []string
	for i, r := range g.Results {
		// The profiles that decided speak; of a gate that holds, all do.
		if r.Verdict == g.Verdict || g.Verdict.ExitCode() == 0 {
			reasons = append(reasons, said[i])
		}
	}
	g.Reason = strings.Join(reasons, "; ")
	if g.Verdict == Invalid {
		g.Reason = half + g.Reason
	}
}

// halfWay takes back what a gate's profiles passed where trials never ended: what
// holds half-way has not passed, of any profile. What failed has failed. It
// returns what was put before their reasons, empty where nothing was.
func (j *judgement) halfWay(g *Gate) (why string) {
	ended, all := j.ended(g.Gate)
	if ended == all {
		return ""
	}
	for i := range g.Results {
		if r := &g.Results[i]; r.Verdict.ExitCode() == 0 {
			why = fmt.Sprintf("%d of %s never ended; of those that did: ", all-ended, unit.Count(all, "trial"))
			r.Verdict, r.Reason = Invalid, why+r.Reason
		}
	}
	return why
}

// ended counts the trials that a gate is about, and those of them that ended.
func (j *judgement) ended(g rundir.Gate) (ended, all int) {
	for _, t := range j.trials {
		if t.Tour == g.Tour && !t.Discarded {
			all++
			if t.state == TrialValid || t.state == TrialInvalid {
				ended++
			}
		}
	}
	return ended, all
}

// profilesOf returns the profiles whose trials a gate looks at, in the
// scenario's order.
func (j *judgement) profilesOf(g rundir.Gate) []string {
	var names, out []string
	for _, p := range j.run.Profiles {
		names = append(names, p.Name)
	}
	for _, t := range j.trials {
		if !slices.Contains(names, t.Profile) {
			names = append(names, t.Profile)
		}
	}
	for _, name := range names {
		if len(j.of(g, name)) > 0 && (g.Profile == "" || g.Profile == name) {
			out = append(out, name)
		}
	}
	return out
}

// of returns the profile's trials that a gate looks at: those of its tour, or
// the blocks but the warm-up block.
func (j *judgement) of(g rundir.Gate, profile string) []*trial {
	var out []*trial
	for _, t := range j.trials {
		if t.Profile == profile && t.Tour == g.Tour && !t.Discarded {
			out = append(out, t)
		}
	}
	return out
}

// discarded returns the profile's trials of the warm-up block.
func (j *judgement) discarded(profile string) []*trial {
	return slices.DeleteFunc(slices.Clone(j.trials), func(t *trial) bool { return t.state != TrialDiscarded || t.Profile != profile })
}

// values measures a gate on trials.
func values(g rundir.Gate, trials []*trial) []TrialValue {
	out := make([]TrialValue, 0, len(trials))
	for _, t := range trials {
		v, late := t.unhealed(g)
		if !late {
			v, late = t.unfinished(g)
		}
		if !late {
			v = t.measure(g)
		}
		if m, ok := metricOf(g.Metric); ok && m.Bounded() && v.censored && g.Max != nil && *g.Max > v.seen {
			v = missing("whether it was within the bound, which is beyond what storm measures, is not known")
		}
		note := v.note
		if !late && t.state != TrialValid && len(t.reasons) > 0 {
			note = t.reasons[0]
		}
		out = append(out, TrialValue{
			Trial: t.ID, Block: t.Block, Profile: t.Profile, Value: Number(v.v), Censored: v.censored,
			Seen: Number(v.seen), Samples: v.samples, Valid: late || t.state == TrialValid, Note: note,
			own: t.own(), failing: v.failing,
		})
	}
	return out
}
