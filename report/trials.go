package report

import (
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// sec is an instant or span of ns in seconds.
func sec(ns int64) Number { return Number(float64(ns) / 1e9) }

// instant is a step of an act; 0 means that the act did not get there.
func instant(ns int64) Number {
	if ns == 0 {
		return Missing()
	}
	return sec(ns)
}

func trialsOf(trials []*trial) []Trial {
	out := make([]Trial, 0, len(trials))
	for _, t := range trials {
		row := Trial{
			ID: t.ID, Order: t.order, Block: t.Block, Profile: t.Profile, Tour: t.Tour,
			State: t.state, Reasons: t.reasons, Warnings: t.warnings, Origin: t.origin,
			Duration: Missing(), Reset: Missing(),
			Phases: []Span{}, Acts: []Act{}, Events: []Moment{}, Exits: t.done.Exits, Load: loadOf(t),
		}
		if t.state != TrialMissing {
			row.Duration = sec(t.end)
		}
		if t.state == TrialValid || t.state == TrialInvalid {
			row.Reset, row.ResetHow = sec(int64(t.done.Reset)), t.done.ResetHow
		}
		for _, p := range t.done.Phases {
			row.Phases = append(row.Phases, Span{p.Name, sec(p.From).Float(), sec(p.To).Float()})
		}
		for _, a := range t.done.Acts {
			act := actOf(t, a)
			act.About = t.about(a)
			row.Acts = append(row.Acts, act)
		}
		for _, e := range t.events {
			if e.Kind == rundir.EventLeaderChange {
				row.Leaders++
			}
			if tells(e.Kind) {
				row.Events = append(row.Events, Moment{sec(e.At).Float(), e.Kind, e.Subject, e.Text})
			}
		}
		for k, c := range t.cells {
			if isLoad(k.Key) {
				row.Requests += c.ok
				row.Failed += c.failed
			}
		}
		out = append(out, row)
	}
	return out
}

// about is what an act said of itself when it began.
func (t *trial) about(a rundir.Act) string {
	said := ""
	for _, e := range t.events {
		// An act that takes long to bite counts from when it does, which is
		// after it said so; one of the same name that follows says it later.
		if e.Kind == rundir.EventActIntended && e.Subject == a.Name && (said == "" || e.At <= max(a.Intended, a.Injected)) {
			said = e.Text
		}
	}
	return said
}

// tells says whether an event is shown; phases and acts are shown as such.
func tells(kind string) bool {
	return kind != rundir.EventOrigin && !strings.HasPrefix(kind, "phase.") && !strings.HasPrefix(kind, "act.")
}

func loadOf(t *trial) Load {
	h := t.done.Health
	if t.state == TrialMissing || t.state == TrialCutOff {
		return Load{SendLagP99: Missing(), SendLagMax: Missing(), RunQueueP99: Missing(), GCPauseMax: Missing()}
	}
	return Load{
		SendLagP99: sec(h.SendLagP99), SendLagMax: sec(h.SendLagMax), RunQueueP99: sec(h.RunQueueP99),
		GCPauseMax: sec(h.GCPauseMax), Files: h.Files, FileLimit: h.FileLimit,
		Refused: h.Refused, Intended: h.Intended, Problems: h.Problems,
	}
}

func actOf(t *trial, a rundir.Act) Act {
	out := Act{
		Trial: t.ID, Profile: t.Profile, Name: a.Name, Kind: a.Kind, Sort: a.Sort, Shard: a.Shard, Target: a.Target,
		Intended: sec(a.Intended), Injected: instant(a.Injected), Proven: instant(a.Proven),
		Healing: instant(a.Healing), Healed: instant(a.Healed),
		Proof: a.Proof, HealedBy: a.HealedBy, HealSort: a.HealSort, Error: a.Error, Facts: a.Facts, Notes: a.Notes,
	}
	for _, r := range a.Recovery {
		out.Recovery = append(out.Recovery, recovered(r))
	}
	return out
}

func recovered(r rundir.Recovery) Recovered {
	out := Recovered{
		Layer: r.Layer, Op: r.Op, Shard: r.Shard, Target: r.Target, Worst: r.Worst,
		RTO: sec(r.RTO), Gap: sec(r.Longest), Stable: sec(r.Stable),
		Failed: r.Failed, Probes: r.Probes, Censored: r.Censored, Seen: sec(r.Seen),
	}
	switch {
	case r.Censored:
		out.RTO, out.Gap = Number(math.Inf(1)), Number(math.Inf(1))
	case r.Probes == 0:
		out.RTO, out.Gap = Missing(), Missing()
	}
	return out
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./:=,@%+-]+$`)

// withoutDir leaves out which run directory was made: there is one there now.
func withoutDir(words []string) []string {
	var out []string
	for i := 0; i < len(words); i++ {
		switch {
		case words[i] == "--dir":
			i++
		case strings.HasPrefix(words[i], "--dir="):
		default:
			out = append(out, words[i])
		}
	}
	return out
}

// repeat returns the shell line that repeats the run with the same seed.
func repeat(run rundir.Run) string {
	words := slices.Clone(run.Command)
	if len(words) == 0 {
		words = []string{"storm", "run", run.Scenario}
	}
	words[0] = filepath.Base(words[0])
	words = withoutDir(words)
	seeded := slices.ContainsFunc(words, func(w string) bool { return w == "--seed" || strings.HasPrefix(w, "--seed=") })
	if !seeded {
		words = append(words, "--seed="+strconv.FormatInt(run.Seed, 10))
	}
	for i, w := range words {
		if !plain.MatchString(w) {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
