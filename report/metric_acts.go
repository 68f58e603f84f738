package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// recovery is the worst recovery time, or gap, of what the labels leave open:
// of each layer, op and shard the slowest surviving target.
func (t *trial) recovery(g rundir.Gate) value {
	out := missing("no recovery was measured")
	for _, a := range t.done.Acts {
		if !ofAct(g, a.Name, a.Kind) {
			continue
		}
		for _, r := range a.Recovery {
			if !r.Worst || !matches(g, "layer", r.Layer) || !matches(g, "op", r.Op) || !matches(g, "shard", r.Shard) {
				continue
			}
			out.samples += uint64(max(0, r.Probes))
			v := float64(r.RTO) / 1e9
			if g.Metric == "recovery.gap" {
				v = float64(r.Longest) / 1e9
			}
			if r.Censored {
				v = math.Inf(1)
			}
			if !(v <= out.v) { // NaN at first
				out.v, out.censored = v, r.Censored
				if r.Censored {
					out.seen = float64(r.Seen) / 1e9
				}
				out.note = strings.TrimSpace(fmt.Sprintf("%s %s at %s, after %s", r.Layer, r.Op, r.Target, a.Name))
			}
		}
	}
	if out.samples == 0 && !out.censored {
		return missing("no probe was looked at")
	}
	return out
}

// audit is a count of the witness's account. A write that is lost stays lost in
// the accounts that follow, so of each layer and shard the highest counts.
func (t *trial) audit(g rundir.Gate, count func(rundir.Audit) int) value {
	type account struct{ via, shard string }
	worst := map[account]int{}
	var acked uint64
	for _, a := range t.done.Journal {
		if !matches(g, "act", a.After) || !matches(g, "layer", a.Via) || !matches(g, "shard", a.Shard) {
			continue
		}
		k := account{a.Via, a.Shard}
		worst[k] = max(worst[k], count(a))
		acked += uint64(max(0, a.Acked))
	}
	switch {
	case len(worst) == 0:
		return missing("no account of acknowledged writes was taken")
	case acked == 0:
		return missing("no write of the witness was acknowledged")
	}
	v := value{samples: acked, seen: math.NaN()}
	for _, n := range worst {
		v.v += float64(n)
	}
	return v
}

// operation is the longest time until an operation's effect was proven.
func (t *trial) operation(g rundir.Gate) value {
	out := missing("no such operation ran")
	for _, a := range t.done.Acts {
		_, named := g.Where["act"]
		if !ofAct(g, a.Name, a.Kind) || !named && a.Sort != "operation" {
			continue
		}
		if a.Proven == 0 {
			return missing(a.Name + ": no effect was proven")
		}
		out.samples++
		if v := float64(a.Proven-a.Intended) / 1e9; !(v <= out.v) {
			out.v, out.note = v, a.Name
		}
	}
	return out
}

// leaderChanges counts the changes seen in the members' own status. That
// somebody looked shows in the note of the first leader of each shard: without
// it none seen means nothing.
func (t *trial) leaderChanges(g rundir.Gate) value {
	v := value{seen: math.NaN()}
	for _, e := range t.events {
		if (e.Kind != rundir.EventNote && e.Kind != rundir.EventLeaderChange) || e.Subject == "" || !matches(g, "shard", e.Subject) {
			continue
		}
		v.samples++
		if e.Kind == rundir.EventLeaderChange && t.counts(g, t.phaseAt(e.At)) {
			v.v++
		}
	}
	if v.samples == 0 {
		return missing("nobody watched the leaders")
	}
	return v
}

// memory is the largest resident memory of one component.
func (t *trial) memory(g rundir.Gate) value {
	out := missing("no memory sample of such a component")
	looked := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(t.procs)) {
		if !ofComponent(g, name) {
			continue
		}
		looked[name] = false
		for _, p := range t.procs[name] {
			if t.counts(g, t.phaseAt(p.at)) {
				out.samples++
				looked[name] = true
				if !(p.rss <= out.v) {
					out.v, out.note = p.rss, name
				}
			}
		}
	}
	if who := t.unseen(g, looked); who != "" && out.samples > 0 {
		return missing("no memory sample of " + who + " in these phases")
	}
	return out
}

// cpu is the processor time of the components together. A component that was
// started again has a new process, whose time counts from 0.
func (t *trial) cpu(g rundir.Gate) value {
	out := missing("no processor time of such a component")
	looked := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(t.procs)) {
		if !ofComponent(g, name) {
			continue
		}
		list := t.procs[name]
		looked[name] = false
		for i := 1; i < len(list); i++ {
			if used, mid := cpuBetween(list[i-1], list[i]); t.counts(g, t.phaseAt(mid)) {
				if out.samples == 0 {
					out = value{seen: math.NaN()}
				}
				out.v += used
				out.samples++
				looked[name] = true
			}
		}
	}
	if who := t.unseen(g, looked); who != "" && out.samples > 0 {
		return missing("no processor time of " + who + " in these phases")
	}
	return out
}

// cpuBetween is the processor time in seconds between two samples, and the
// instant between them.
func cpuBetween(a, b process) (used float64, mid int64) {
	used = b.cpu
	if a.pid == b.pid && b.cpu >= a.cpu {
		used -= a.cpu
	}
	return used, a.at + (b.at-a.at)/2
}

func matches(g rundir.Gate, label, v string) bool {
	w, ok := g.Where[label]
	return !ok || w == v
}

// ofAct matches an act by the name it has in the scenario, or by its kind.
func ofAct(g rundir.Gate, name, kind string) bool {
	w, ok := g.Where["act"]
	return !ok || w == name || w == kind
}

// ofComponent matches a component by name, or all of a kind: "etcd" is every
// member of every shard. Without a label it is all but storm itself.
func ofComponent(g rundir.Gate, name string) bool {
	w, ok := g.Where["component"]
	if !ok {
		return name != rundir.StormComponent
	}
	return name == w || strings.HasPrefix(name, w+"-")
}
