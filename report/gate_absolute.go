package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report/stats"
)

// worstTrial names the metrics of which a bound holds for every trial: one
// observation a trial, or a count or a share by which a trial shows that it was
// what it should be, where a single bad one is what a reader wants to be protected
// from. Of the others, which the machine's noise moves, the bound holds for the
// median over the trials, and the worst is shown.
var worstTrial = map[string]bool{
	"recovery.time": true, "recovery.gap": true, "writes.lost": true, "restore.lost": true,
	"restore.mismatch": true, "operation.duration": true, "etcd.leader.changes": true, "etcd.elections": true,
	"api.errors": true, "etcd.errors": true, "lease.onTime": true,
	"apf.rejected": true, "apf.dispatched": true, "apf.seats": true,
	"server.requests": true, "server.watchLists": true, "etcd.snapshots": true, "etcd.db.inUse": true,
}

// proofAnyway names the metrics whose failure stands even in a trial that is
// otherwise invalid, or of the warm-up block: a lost write is a lost write.
var proofAnyway = map[string]bool{"writes.lost": true, "restore.mismatch": true}

// absolute holds one profile's trials against the gate's bounds.
func (j *judgement) absolute(g rundir.Gate, m rundir.Metric, profile string) Judged {
	trials := j.of(g, profile)
	out := Judged{
		Profile: profile, Looked: "median of trials", Value: Missing(), Worst: Missing(),
		Values: values(g, trials),
	}
	if worstTrial[g.Metric] {
		out.Looked = "worst trial"
	}
	if len(trials) == 1 {
		out.Looked = "the one trial"
	}
	if proofAnyway[g.Metric] {
		anyway := out.Values
		if g.Tour == "" {
			anyway = append(values(g, j.discarded(profile)), anyway...)
		}
		for _, v := range anyway {
			if v.Value.Is() && !within(g, v.Value) {
				return out.failed(g, m, v, 1)
			}
		}
	}
	var valid, empty []TrialValue
	for _, v := range out.Values {
		switch {
		case v.Valid && v.Value.Is():
			valid = append(valid, v)
		case v.Valid:
			empty = append(empty, v)
		}
	}
	slices.SortStableFunc(valid, func(a, b TrialValue) int { return cmp.Compare(badness(g, a.Value), badness(g, b.Value)) })
	if len(valid) > 0 {
		worst := valid[len(valid)-1]
		out.Worst, out.WorstTrial = worst.Value, worst.Trial
		bad := slices.IndexFunc(valid, func(v TrialValue) bool { return !within(g, v.Value) })
		if worstTrial[g.Metric] && bad >= 0 {
			return out.failed(g, m, worst, len(valid)-bad)
		}
	}
	switch {
	case len(empty) > 0:
		return out.invalid(fmt.Sprintf("nothing was measured in %s (%s)", empty[0].Trial, or(empty[0].Note, "no samples")))
	case len(valid) == 0:
		return out.invalid(fmt.Sprintf("%s (%s)", plural(len(trials), "the one trial is not valid", "none of %d trials is valid"), firstNote(out.Values)))
	case 2*len(valid) < len(trials):
		return out.invalid(fmt.Sprintf("only %d of %s are valid (%s)", len(valid), unit.Count(len(trials), "trial"), firstNote(out.Values)))
	}
	out.Value = out.Worst
	if !worstTrial[g.Metric] {
		out.Value = median(valid)
	}
	out.Verdict = Pass
	if !within(g, out.Value) {
		out.Verdict = Regressed
	} else if n, first := owns(out.Values); n > 0 {
		return out.invalid(betterPart(n, len(trials), first))
	}
	out.Reason = out.sentence(g, m, len(valid), len(trials))
	return out
}

// failed is the verdict of a bound that holds for every trial and did not in n.
func (r Judged) failed(g rundir.Gate, m rundir.Metric, worst TrialValue, n int) Judged {
	r.Verdict, r.Value, r.Worst, r.WorstTrial = Regressed, worst.Value, worst.Value, worst.Trial
	seen := FormatOf(m.Name, worst.Value, m.Unit)
	switch {
	case worst.Censored && m.Name == "operation.duration":
		seen = "failed after " + Format(worst.Seen, "seconds")
	case worst.Censored:
		seen = fmt.Sprintf("not recovered when the observation ended after %s", Format(worst.Seen, "seconds"))
	}
	r.Reason = fmt.Sprintf("%s in %s, where %s allowed", seen, worst.Trial, bounds(g, m.Unit))
	if worst.Valid && worst.Note != "" {
		r.Reason = fmt.Sprintf("%s in %s (%s), where %s allowed", seen, worst.Trial, worst.Note, bounds(g, m.Unit))
	}
	if len(r.Values) > 1 {
		r.Reason += fmt.Sprintf("; %s of %d broke the bound", unit.Count(n, "trial"), len(r.Values))
	}
	if !worst.Valid {
		r.Reason += "; it stands though the trial is not valid (" + worst.Note + ")"
	}
	return r
}

func (r Judged) invalid(reason string) Judged {
	r.Verdict, r.Reason = Invalid, reason
	return r
}

// sentence says what was held against the bound.
func (r Judged) sentence(g rundir.Gate, m rundir.Metric, valid, all int) string {
	s := FormatOf(m.Name, r.Value, m.Unit)
	switch {
	case all > 1 && r.Looked == "worst trial":
		s += fmt.Sprintf(" in the worst of %d trials (%s)", valid, r.WorstTrial)
	case all > 1:
		s += fmt.Sprintf(", the median of %d trials (worst %s in %s)", valid, FormatOf(m.Name, r.Worst, m.Unit), r.WorstTrial)
	}
	if !within(g, r.Value) {
		s += ", where " + bounds(g, m.Unit) + " allowed"
	}
	if valid < all {
		s += fmt.Sprintf("; %s of %d not valid and left out", unit.Count(all-valid, "trial"), all)
	}
	if m.Bounded() || m.Name == "isolation" {
		s += noted(r.Values)
	}
	return strings.TrimPrefix(s, "; ") // of one trial that broke nothing there is no more to say
}

// noted is what has to be said of the first valid trial whose latencies are not
// the whole truth: some requests failed, or were few. A ratio of two is never it.
func noted(list []TrialValue) string {
	for _, v := range list {
		if v.Valid && v.Note != "" {
			return fmt.Sprintf("; in %s %s", v.Trial, v.Note)
		}
	}
	return ""
}

// within says whether a value keeps the gate's bounds; an infinite one, of a
// censored time, keeps no upper bound.
func within(g rundir.Gate, v Number) bool {
	return (g.Max == nil || v.Float() <= *g.Max) && (g.Min == nil || v.Float() >= *g.Min)
}

// badness orders values by how near they come to breaking the gate, or how far
// they break it.
func badness(g rundir.Gate, v Number) float64 {
	switch {
	case g.Max == nil:
		return *g.Min - v.Float()
	case g.Min == nil:
		return v.Float() - *g.Max
	default:
		return max(*g.Min-v.Float(), v.Float()-*g.Max)
	}
}

func bounds(g rundir.Gate, unit string) string {
	var s []string
	if g.Min != nil {
		s = append(s, "at least "+Format(Number(*g.Min), unit))
	}
	if g.Max != nil {
		s = append(s, "at most "+Format(Number(*g.Max), unit))
	}
	if len(s) == 1 {
		return s[0] + " is"
	}
	return strings.Join(s, " and ") + " are"
}

// median of values, censored ones the largest.
func median(list []TrialValue) Number {
	v := make([]float64, 0, len(list))
	for _, t := range list {
		v = append(v, t.Value.Float())
	}
	slices.Sort(v)
	return Number(stats.Median(v))
}

// firstNote is the first reason why a trial does not count.
func firstNote(list []TrialValue) string {
	for _, v := range list {
		if !v.Valid && v.Note != "" {
			return v.Trial + ": " + v.Note
		}
	}
	return "no reason is recorded"
}
