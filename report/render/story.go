package render

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// story is one tour's trial, told step by step.
type story struct {
	Name, ID, Profile string
	State             report.State
	Reasons           []string
	Intro             string
	Steps             []step
	Charts            *timeline
}

// step is something that was done or seen.
type step struct {
	At     string
	Number string // of an act; empty for what was merely seen
	Sort   string // fault, operation, phase, seen
	Title  string
	Tag    string // the kind, where the title is a name of its own
	About  string
	Lines  []stepLine
	Facts  []fact
	Error  string
	RTO    []outcome
	RPO    *outcome
}

// stepLine is an observation: when, in words, and what.
type stepLine struct{ Label, Text, After string }

type fact struct{ Name, Value string }

// outcome is an RTO or an RPO with its explanation.
type outcome struct{ Value, Text string }

// stories tells the tours in run order.
func stories(r *report.Result, groups []timeline, d detail) []story {
	var out []story
	for _, t := range r.Trials {
		if t.Tour == "" || len(out) == d.of(maxTours) {
			continue
		}
		s := story{Name: t.Tour, ID: t.ID, Profile: t.Profile, State: t.State, Reasons: t.Reasons, Steps: stepsOf(r, t, d.of(maxSteps))}
		for i := range groups {
			if groups[i].Tour == t.Tour {
				s.Charts = &groups[i]
			}
		}
		s.Intro = fmt.Sprintf("One trial, once, under the profile %s", t.Profile)
		if t.Duration.Is() {
			s.Intro += ", " + seconds(t.Duration) + " long"
		}
		s.Intro += ". Nothing here is a comparison: it shows that each step works, what was seen of it, and how long it took on this machine."
		if len(t.Acts) > 0 {
			s.Intro += " Times count from the first step, as in the charts."
		}
		out = append(out, s)
	}
	return out
}

// stepsOf merges a trial's phases, acts and events in order of time.
func stepsOf(r *report.Result, t report.Trial, most int) []step {
	type timed struct {
		at   float64
		rank int // of what begins at the same instant
		step step
	}
	var all []timed
	zero := firstAct(t)
	for _, p := range t.Phases {
		if about := phaseAbout(p.Name); about != "" {
			all = append(all, timed{p.From, 0, step{
				At: axisTime(round(p.From - zero)), Sort: "phase", Title: phaseTitle(p.Name),
				About: fmt.Sprintf("%s, %s", seconds(report.Number(p.To-p.From)), about),
			}})
		}
	}
	acts := slices.Clone(t.Acts)
	slices.SortStableFunc(acts, func(a, b report.Act) int { return cmp.Compare(a.Intended, b.Intended) })
	for i, a := range acts {
		all = append(all, timed{a.Intended.Float(), 1, actStep(r, a, i+1, zero)})
	}
	for _, e := range t.Events {
		if title := eventTitle(e); title != "" {
			all = append(all, timed{e.At, 2, step{At: axisTime(round(e.At - zero)), Sort: "seen", Title: title, About: e.Text}})
		}
	}
	slices.SortStableFunc(all, func(a, b timed) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.rank, b.rank)) })
	out := make([]step, 0, len(all))
	last := math.Inf(-1)
	for i, x := range all {
		if i == most {
			out = append(out, step{Sort: "seen", Title: fmt.Sprintf("… and %s more, which report.json has", unit.Count(len(all)-i, "step"))})
			break
		}
		// What every member says within a second is one thing seen.
		if n := len(out); n > 0 && x.step.Sort == "seen" && out[n-1].Sort == "seen" && out[n-1].Title == x.step.Title && x.at-last < 1 {
			out[n-1].About += "; " + x.step.About
			continue
		}
		last = x.at
		out = append(out, x.step)
	}
	return out
}

// firstAct is the intended instant of a trial's first act, which its charts
// count from; 0, its origin, where it has none.
func firstAct(t report.Trial) float64 {
	zero := math.Inf(1)
	for _, a := range t.Acts {
		if a.Intended.Finite() {
			zero = min(zero, a.Intended.Float())
		}
	}
	if math.IsInf(zero, 1) {
		return 0
	}
	return zero
}

// round keeps tenths of a second, which is what a story needs.
func round(v float64) float64 { return math.Round(v*10) / 10 }

func phaseTitle(name string) string {
	if name == "warmup" {
		return "Warm-up"
	}
	return capital(name)
}

// phaseAbout says what a phase is for; empty for those that the steps show by
// themselves.
func phaseAbout(name string) string {
	switch name {
	case "warmup":
		return "not judged: the load starts and the caches fill"
	case "steady":
		return "the load runs and nothing is done to the cluster"
	case "recovery":
		return "storm watches until everything answers again"
	}
	return ""
}

func eventTitle(e report.Moment) string {
	switch e.Kind {
	case rundir.EventAlarm:
		return "etcd " + e.Subject + " alarm"
	case rundir.EventLeaderChange:
		return "etcd " + e.Subject + " has a new leader"
	case rundir.EventExit:
		return e.Subject + " died unasked"
	case rundir.EventWarning:
		return "Warning"
	}
	return ""
}

func actStep(r *report.Result, a report.Act, number int, zero float64) step {
	s := step{At: axisTime(round(a.Intended.Float() - zero)), Number: fmt.Sprint(number), Sort: a.Sort, Title: a.Name, About: sentence(a.About), Error: a.Error}
	if a.Kind != a.Name {
		s.Tag = a.Kind
	}
	if s.About == "" && a.Target != "" {
		s.About = "On " + a.Target + "."
	}
	if a.Proof != "" {
		s.Lines = append(s.Lines, stepLine{"Observed", ended(a.Proof), since(a.Intended, a.Proven)})
	}
	if a.HealedBy != "" {
		s.Lines = append(s.Lines, stepLine{healedWord(a), ended(a.HealedBy), since(a.Intended, a.Healed)})
	}
	for _, n := range a.Notes {
		s.Lines = append(s.Lines, stepLine{Label: "Note", Text: sentence(n)})
	}
	for _, name := range slices.Sorted(maps.Keys(a.Facts)) {
		s.Facts = append(s.Facts, factOf(name, a.Facts[name]))
	}
	s.RTO = rtoOf(a)
	s.RPO = rpoOf(r, a)
	return s
}

func healedWord(a report.Act) string {
	switch {
	case a.Sort == "operation":
		return "Whole again"
	case a.HealSort == "timeline":
		return "Healed by the steps that follow"
	case a.HealSort == "abort":
		return "Healed by storm, because the timeline did not"
	}
	return "Healed"
}

// since writes the time from one instant to another.
func since(from, to report.Number) string {
	if !from.Finite() || !to.Finite() || to < from {
		return ""
	}
	return "after " + seconds(to-from)
}
