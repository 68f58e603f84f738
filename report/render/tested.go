package render

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// tested is what was done, for a reader who has not seen the scenario.
type tested struct {
	About   string
	Order   string
	Cluster []string // one cluster for all profiles; empty: each profile has its own
	Load    []rundir.Described
	Plans   []plan
	Rows    []testedProfile
	Steady  bool // the steady phase is shorter than the SLOs' 5 minutes
}

type testedProfile struct {
	report.Profile
	Class   string
	Cluster []string
	Count   string
}

func testedOf(r *report.Result) tested {
	t := tested{About: sentence(r.Run.About), Order: orderText(r), Load: r.Workloads, Plans: plansOf(r), Steady: r.Run.ShortSteady}
	same := true
	for _, p := range r.Profiles {
		same = same && reflect.DeepEqual(p.Shards, r.Profiles[0].Shards) && reflect.DeepEqual(p.Parts, r.Profiles[0].Parts)
	}
	if same && len(r.Profiles) > 0 {
		t.Cluster = clusterText(r.Profiles[0])
	}
	for _, p := range r.Profiles {
		row := testedProfile{Profile: p, Class: profileClass(r, p.Name), Count: fmt.Sprintf("%s of %s valid", unit.Grouped(p.Valid), unit.Count(p.Planned, "trial"))}
		if !same {
			row.Cluster = clusterText(p)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// validity says how many trials of each profile are valid; nothing where all are.
func validity(r *report.Result) string {
	all := true
	var parts []string
	for _, p := range r.Profiles {
		all = all && p.Valid == p.Planned
		text := fmt.Sprintf("%d of %s", p.Valid, unit.Count(p.Planned, "trial"))
		if len(r.Profiles) > 1 {
			text = p.Name + " " + text
		}
		parts = append(parts, text)
	}
	if all {
		return ""
	}
	if len(parts) > maxRows {
		parts = append(parts[:maxRows], fmt.Sprintf("and %s more profiles", unit.Grouped(len(r.Profiles)-maxRows)))
	}
	return "Valid: " + strings.Join(parts, ", ") + "."
}

// plan is what happens in a block's trials, or in a tour's, in order.
type plan struct {
	Title string
	Steps []plannedStep
}

type plannedStep struct{ Name, Text string }

// plansOf takes the timeline apart: the steps of a tour begin with "tour NAME: ".
func plansOf(r *report.Result) []plan {
	plans := []plan{{Title: "What happens in each trial"}}
	if r.Run.Blocks == 0 {
		plans = nil
	}
	for _, d := range r.Timeline {
		title, text := "What happens in each trial", d.Text
		for _, t := range r.Trials {
			if rest, ok := strings.CutPrefix(d.Text, "tour "+t.Tour+": "); ok && t.Tour != "" {
				title, text = "What happens in the tour "+t.Tour, rest
				break
			}
		}
		i := slices.IndexFunc(plans, func(p plan) bool { return p.Title == title })
		if i < 0 {
			plans = append(plans, plan{Title: title})
			i = len(plans) - 1
		}
		step := plannedStep{d.Name, text}
		if d.Name == d.Kind && phaseClass(d.Kind) != "other" {
			step = plannedStep{"", capital(text)} // a phase: "steady for 6s"
		}
		plans[i].Steps = append(plans[i].Steps, step)
	}
	return slices.DeleteFunc(plans, func(p plan) bool { return len(p.Steps) == 0 })
}

func clusterText(p report.Profile) []string {
	var out []string
	for _, s := range p.Shards {
		out = append(out, "etcd "+shardText(s))
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(p.Parts)) {
		part := fmt.Sprintf("%d × %s", p.Parts[name], name)
		if v := p.Versions[name]; v != "" {
			part += " " + v
		}
		parts = append(parts, part)
	}
	if len(parts) > 0 {
		out = append(out, listed(parts))
	}
	return out
}

// orderText says how the trials were ordered, and why.
func orderText(r *report.Result) string {
	if r.Run.Blocks == 0 {
		return ""
	}
	if len(r.Profiles) < 2 {
		return fmt.Sprintf("The trial was repeated %s, each time from the same state of the cluster.", unit.Count(r.Run.Blocks, "time"))
	}
	return fmt.Sprintf("%s: each runs every profile once, in random order (seed %d) and from the same state of the cluster. Profiles are compared within a block, so that a machine that slows down over the run slows all of them.",
		capital(unit.Count(r.Run.Blocks, "block")), r.Run.Seed)
}

// term is a word and what it means here.
type term struct{ Word, Meaning string }

// glossary explains the words that the page uses.
func glossary() []term {
	return []term{
		{"acknowledged write", "a write that the server confirmed. Whatever happens later, it must still be there; storm's witness writes unique keys and reads every one of them back."},
		{"block", "every profile once, in random order. Only trials of one block are compared with each other."},
		{"gate", "a threshold that the scenario sets. A run passes when every gate holds."},
		{"interval", "the range in which the true ratio lies with the stated confidence. A verdict needs the whole interval on one side of the margin."},
		{"margin", "how much worse still counts as no real difference. With 25 % a ratio of up to 1.25× is none where less is better, and one down to 0.8× where more is. Better has no margin."},
		{"p50, p99", "half of the requests, or 99 of 100, were faster than this. Latency counts from the instant a request was due, not from when it was sent, so that a stall is not hidden. What had not ended when it was given up ranks behind all others: ∞, where a quantile falls there."},
		{"profile", "one set of values under comparison: flags, versions, topology."},
		{"quota, NOSPACE", "etcd's limit on the size of its database file. Beyond it etcd raises the NOSPACE alarm and refuses writes until space is freed and the alarm is disarmed."},
		{"ratio", "a profile's value over the other's in the same block: 0.5× is half."},
		{"RPO", "recovery point objective: what a restore takes back, counted here in acknowledged writes."},
		{"RTO, recovery time", "recovery time objective: from the instant a fault was due until the first of several successes in a row, once it had bitten: a dip that comes later counts too. The slowest surviving server counts. Where no probe failed, the longest time between two successes stands for it, as a gap: a stall that is shorter than a probe's deadline shows in it."},
		{"shard", "one etcd cluster, holding some of the resources."},
		{"SLO", "service level objective. Kubernetes defines its latency SLOs over 5 minutes; a shorter phase can only be held against the same number."},
		{"tour", "one trial apart from the comparison, which walks through several faults and operations."},
		{"trial", "one execution of the scenario under one profile. The trial, never the request, is the unit of the statistics."},
		{"invalid", "a trial in which something needed was not soundly measured: the load generator lagged, a fault had no effect, a component died unasked (a controller that lost its lease through a fault of storm's excepted: it is started again, and said). Nothing is concluded from it."},
	}
}
