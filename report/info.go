package report

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// gateOn is a gate on a metric that only selects: labels in pairs.
func gateOn(metric string, where ...string) rundir.Gate {
	g := rundir.Gate{Metric: metric, Where: map[string]string{}}
	for i := 0; i+1 < len(where); i += 2 {
		if where[i+1] != "" {
			g.Where[where[i]] = where[i+1]
		}
	}
	return g
}

// question is a row of the information table.
type question struct {
	group string // recovery, latency, load, server
	gate  rundir.Gate
}

// information holds every profile against the first, on what a reader will want
// to know beside the gates. There are no verdicts: the rows are many, and their
// intervals are not corrected for it.
func (j *judgement) information() []Comparison {
	if len(j.run.Profiles) < 2 {
		return nil
	}
	base := j.run.Profiles[0].Name
	var out []Comparison
	for _, q := range j.questions() {
		m, _ := metricOf(q.gate.Metric)
		q.gate.Compare = base
		bases := values(q.gate, j.of(q.gate, base))
		for _, p := range j.run.Profiles[1:] {
			mine := values(q.gate, j.of(q.gate, p.Name))
			if few(q.gate.Stat, bases) || few(q.gate.Stat, mine) {
				continue
			}
			c := j.compare(q.gate, m.Lower, m.Unit, bases, mine, p.Name)
			c.Group, c.PMargin = q.group, Missing()
			if c.unfair() {
				_, why := c.usable()
				c.withhold(why)
			} else if c.hidden() {
				c.withhold(c.hiding())
			}
			if c.Used > 0 && c.says() {
				out = append(out, *c)
			}
		}
	}
	return out
}

// few says whether a valid trial has too few requests for the statistic to be
// another than the largest.
func few(stat string, list []TrialValue) bool {
	return stat != "" && slices.ContainsFunc(list, func(v TrialValue) bool { return v.Valid && v.Samples < needed(stat) })
}

// says is false where both sides are 0 in every block.
func (c *Comparison) says() bool {
	return slices.ContainsFunc(c.Pairs, func(p Pair) bool { return p.Dropped == "" && (p.Base != 0 || p.Profile != 0) })
}

// questions lists the rows: which of them have an answer depends on what the
// trials did.
func (j *judgement) questions() []question {
	var out []question
	ask := func(group string, g rundir.Gate) { out = append(out, question{group, g}) }
	for _, r := range j.recoveryKinds() {
		ask("recovery", gateOn("recovery.time", "act", r.act, "layer", r.layer, "op", r.op, "shard", r.shard))
	}
	for _, phase := range j.phases() {
		for g := range groups {
			for _, stat := range []string{"p50", "p99"} {
				gate := gateOn("api.latency", "verb", g.String(), "phase", phase)
				gate.Stat = stat
				ask("latency", gate)
			}
		}
	}
	for _, phase := range j.phases() {
		ask("load", gateOn("api.throughput", "phase", phase))
		ask("load", gateOn("api.errors", "phase", phase))
	}
	ask("server", gateOn("etcd.leader.changes"))
	ask("server", gateOn("etcd.requests"))
	kinds := j.componentKinds()
	if shards := slices.DeleteFunc(slices.Clone(kinds), func(k string) bool { return !strings.HasPrefix(k, "etcd-") }); len(shards) > 1 {
		// Profiles may have other shards: only together are they the same thing.
		ask("server", gateOn("process.cpu", "component", "etcd"))
	}
	for _, kind := range kinds {
		ask("server", gateOn("process.memory", "component", kind))
		ask("server", gateOn("process.cpu", "component", kind))
	}
	return out
}

type recoveryKind struct{ act, layer, op, shard string }

// recoveryKinds lists what recovered, in order of sight in the block trials.
func (j *judgement) recoveryKinds() []recoveryKind {
	var rows table[recoveryKind, recoveryKind]
	for _, t := range j.blocks() {
		for _, a := range t.done.Acts {
			for _, r := range a.Recovery {
				k := recoveryKind{a.Name, r.Layer, r.Op, r.Shard}
				if r.Worst {
					rows.row(k, func() recoveryKind { return k })
				}
			}
		}
	}
	return rows.rows
}

// phases lists the measured phases of the block trials.
func (j *judgement) phases() []string {
	var out []string
	for _, t := range j.blocks() {
		for _, p := range t.done.Phases {
			if t.counts(rundir.Gate{}, p.Name) && !slices.Contains(out, p.Name) {
				out = append(out, p.Name)
			}
		}
	}
	return out
}

// componentKinds lists the kinds of component that were sampled in any trial.
func (j *judgement) componentKinds() []string {
	kinds := map[string]bool{}
	for _, t := range j.blocks() {
		for _, k := range t.componentKinds() {
			kinds[k] = true
		}
	}
	return slices.Sorted(maps.Keys(kinds))
}

// kindOf is a component's name without its number: of an etcd member its shard.
func kindOf(component string) string {
	if i := strings.LastIndexByte(component, '-'); i > 0 && strings.Trim(component[i+1:], "0123456789") == "" {
		return component[:i]
	}
	return component
}

func (j *judgement) blocks() []*trial {
	return slices.DeleteFunc(slices.Clone(j.trials), func(t *trial) bool { return t.Tour != "" || t.state != TrialValid })
}

// warnings are what a reader must know about the run as a whole.
func warnings(r *Result, dir *rundir.Dir) []string {
	var out []string
	var unread error
	for e, err := range dir.Events() {
		switch {
		case err != nil:
			unread = cmp.Or(unread, err) // the first
		case e.Kind == rundir.EventWarning:
			out = append(out, strings.TrimSpace(e.Subject+" "+e.Text))
		}
	}
	if said := whyUnread(dir, unread); said != "" {
		out = append(out, "What else the run warned of is perhaps missing here: "+said+".")
	}
	out = append(out, builds(r)...)
	if r.Run.ShortSteady && slices.ContainsFunc(r.Gates, func(g Gate) bool { return g.Metric == "api.latency" }) {
		out = append(out, "The steady phase is shorter than 5 minutes: its latency thresholds are not the 5-minute SLO.")
	}
	return out
}

// whyUnread says what is wrong with the events of the run as a whole; empty where they
// are whole.
func whyUnread(dir *rundir.Dir, err error) string {
	var line *rundir.LineError
	switch {
	case errors.As(err, &line):
		return fmt.Sprintf("%s has lines that cannot be read (line %d: %v)", rundir.EventsFile, line.Line, line.Err)
	case err != nil:
		return fmt.Sprintf("%s cannot be read (%v)", rundir.EventsFile, err)
	case !endsLine(filepath.Join(dir.Path(), rundir.EventsFile)):
		return rundir.EventsFile + " is cut off"
	}
	return ""
}
