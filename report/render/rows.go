package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/storm-harness/storm/report"
)

// layerWord names where a probe looked, for a reader.
func layerWord(layer, shard string) string {
	switch {
	case layer == "api":
		return "API server"
	case layer == "etcd" && shard != "":
		return "etcd " + shard
	case layer == "":
		return "unknown"
	default:
		return layer
	}
}

// recoveryRow is a kind of recovery, with one cell for each profile.
type recoveryRow struct {
	Tour, Act, Sort, Layer, Op, Shard string
	Cells                             []report.RecoveryGroup
}

// What names the row within its act: "API server writes".
func (r recoveryRow) What() string { return layerWord(r.Layer, r.Shard) + " " + r.Op + "s" }

// LayerName names where it was probed.
func (r recoveryRow) LayerName() string { return layerWord(r.Layer, r.Shard) }

// After names what it recovered from.
func (r recoveryRow) After() string {
	if r.Tour != "" {
		return r.Act + ", tour " + r.Tour
	}
	return r.Act
}

// recoveryRows puts the profiles of each kind of recovery side by side, the API
// server, which clients see, before etcd, and writes before reads.
func recoveryRows(r *report.Result) []recoveryRow {
	var rows []recoveryRow
	groups := slices.Clone(r.Recovery)
	slices.SortStableFunc(groups, func(a, b report.RecoveryGroup) int {
		return profileRank(r, a.Profile) - profileRank(r, b.Profile)
	})
	for _, g := range groups {
		i := slices.IndexFunc(rows, func(x recoveryRow) bool {
			return x.Tour == g.Tour && x.Act == g.Act && x.Layer == g.Layer && x.Op == g.Op && x.Shard == g.Shard
		})
		if i < 0 {
			rows = append(rows, recoveryRow{Tour: g.Tour, Act: g.Act, Sort: g.Sort, Layer: g.Layer, Op: g.Op, Shard: g.Shard})
			i = len(rows) - 1
		}
		rows[i].Cells = append(rows[i].Cells, g)
	}
	var acts []string
	for _, g := range r.Recovery { // in the order in which they were done
		if k := g.Tour + "\x00" + g.Act; !slices.Contains(acts, k) {
			acts = append(acts, k)
		}
	}
	slices.SortStableFunc(rows, func(a, b recoveryRow) int {
		ka, kb := slices.Index(acts, a.Tour+"\x00"+a.Act), slices.Index(acts, b.Tour+"\x00"+b.Act)
		if ka != kb {
			return ka - kb
		}
		if c := strings.Compare(a.Layer, b.Layer); c != 0 {
			return c // api before etcd
		}
		if c := cmp.Or(mainFirst(a.Shard, b.Shard), strings.Compare(a.Shard, b.Shard)); c != 0 {
			return c
		}
		return strings.Compare(b.Op, a.Op) // write before read
	})
	return rows
}

// profileRank is a profile's place in the scenario.
func profileRank(r *report.Result, name string) int {
	i := slices.IndexFunc(r.Profiles, func(p report.Profile) bool { return p.Name == name })
	if i < 0 {
		return len(r.Profiles)
	}
	return i
}

// mainFirst orders the main shard, which holds most, before the others.
func mainFirst(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "main":
		return -1
	case b == "main":
		return 1
	}
	return 0
}

// noOutage is said of what was watched and never failed.
const noOutage = "no outage"

// recovered writes a group's time, how it is bounded where trials did not
// recover while they were watched, or that there was nothing to recover from.
func recovered(g report.RecoveryGroup, n report.Number) string {
	if n.Is() && unharmed(g) {
		return noOutage
	}
	if n.Is() && !n.Finite() {
		var seen report.Number
		for _, p := range g.Points {
			if p.Valid && p.Censored {
				seen = max(seen, p.Seen)
			}
		}
		if seen > 0 {
			return "over " + seconds(seen)
		}
	}
	return seconds(n)
}

// unharmed says whether no probe failed in any of the trials.
func unharmed(g report.RecoveryGroup) bool {
	watched := false
	for _, p := range g.Points {
		if !p.Valid {
			continue
		}
		if p.Failed > 0 || p.Censored {
			return false
		}
		watched = true
	}
	return watched
}

// recoveryAct is what one act did to all that was probed.
type recoveryAct struct {
	After string
	Rows  []recoveryRow // none where no trial of it is valid
}

// recoveryActs are the rows of the recovery table by act.
func recoveryActs(rows []recoveryRow) []recoveryAct {
	var out []recoveryAct
	for _, row := range rows {
		if n := len(out); n == 0 || out[n-1].After != row.After() {
			out = append(out, recoveryAct{After: row.After()})
		}
		if !row.counts() {
			continue
		}
		a := &out[len(out)-1]
		a.Rows = append(a.Rows, row)
	}
	return out
}

// counts says whether any trial of the row is valid.
func (r recoveryRow) counts() bool {
	return slices.ContainsFunc(r.Cells, func(g report.RecoveryGroup) bool { return g.Trials > 0 })
}

// harmed says whether any probe of the row failed.
func (r recoveryRow) harmed() bool {
	return slices.ContainsFunc(r.Cells, func(g report.RecoveryGroup) bool { return !unharmed(g) })
}

// auditRow is the account of acknowledged writes of a profile or a tour, in sum
// over its trials.
type auditRow struct {
	Profile, Tour, After, Via, Shard string
	Trials, Invalid                  int
	Acked, Found, Unknown, Lost      int
	Restored, Mismatch, Disagree     int
	Examples                         []string
}

// Clean is a row in which nothing is wrong.
func (a auditRow) Clean() bool { return a.Lost == 0 && a.Mismatch == 0 && a.Disagree == 0 }

// Where names the way of the writes: "through the API server".
func (a auditRow) Where() string {
	if a.Via == "api" {
		return "through the API server"
	}
	if a.Shard == "" {
		return "to etcd"
	}
	return "to etcd " + a.Shard
}

// maxExamples bounds the keys that a row names.
const maxExamples = 5

func auditRows(r *report.Result) []auditRow {
	var rows []auditRow
	for _, a := range r.Audits {
		i := slices.IndexFunc(rows, func(x auditRow) bool {
			return x.Profile == a.Profile && x.Tour == a.Tour && x.After == a.After && x.Via == a.Via && x.Shard == a.Shard
		})
		if i < 0 {
			rows = append(rows, auditRow{Profile: a.Profile, Tour: a.Tour, After: a.After, Via: a.Via, Shard: a.Shard})
			i = len(rows) - 1
		}
		row := &rows[i]
		row.Trials++
		if !a.Valid {
			row.Invalid++
		}
		row.Acked += a.Acked
		row.Found += a.Found
		row.Unknown += a.Unknown
		row.Lost += a.Lost
		row.Restored += a.Restored
		row.Mismatch += a.Mismatch
		row.Disagree += a.Disagree
		for _, e := range a.Examples {
			if len(row.Examples) < maxExamples {
				row.Examples = append(row.Examples, a.Trial+": "+e)
			}
		}
	}
	return rows
}

// auditSentence sums the account up. An audit counts all writes of its trial so
// far, so only the last of each trial and way is added.
func auditSentence(r *report.Result) string {
	type path struct{ trial, via, shard string }
	last := map[path]report.Audit{}
	for _, a := range r.Audits {
		last[path{a.Trial, a.Via, a.Shard}] = a
	}
	var sum auditRow
	for _, a := range last {
		sum.Acked += a.Acked
		sum.Lost += a.Lost
		sum.Restored += a.Restored
		sum.Mismatch += a.Mismatch
		sum.Disagree += a.Disagree
	}
	if sum.Acked == 0 {
		return "No write of the witness was acknowledged, so nothing can be said about lost writes."
	}
	s := fmt.Sprintf("Of %s acknowledged writes looked up afterwards, ", count(sum.Acked))
	if sum.Lost == 0 {
		s += "none was lost"
	} else {
		s += fmt.Sprintf("%s lost", areWere(sum.Lost))
	}
	if sum.Restored > 0 {
		s += fmt.Sprintf("; %s taken back by a restore because newer than its snapshot, as intended", areWere(sum.Restored))
	}
	if sum.Mismatch > 0 {
		s += fmt.Sprintf("; %s the restore", contradict(sum.Mismatch))
	}
	if sum.Disagree > 0 {
		s += fmt.Sprintf("; etcd and the API server disagree on %s", counted(sum.Disagree, "key"))
	}
	return s + "."
}

func areWere(n int) string {
	if n == 1 {
		return "1 was"
	}
	return count(n) + " were"
}

func contradict(n int) string {
	if n == 1 {
		return "1 contradicts"
	}
	return count(n) + " contradict"
}

// notValid are the trials from which nothing may be concluded.
func notValid(r *report.Result) []report.Trial {
	var out []report.Trial
	for _, t := range r.Trials {
		if t.State != report.TrialValid {
			out = append(out, t)
		}
	}
	return out
}

// trialsSentence counts the trials.
func trialsSentence(r *report.Result) string {
	s := fmt.Sprintf("%s of %s valid", count(r.Run.Valid), counted(r.Run.Planned, "trial"))
	if r.Run.Invalid > 0 {
		s += fmt.Sprintf(", %s invalid", count(r.Run.Invalid))
	}
	if r.Run.Missing > 0 {
		s += fmt.Sprintf(", %s missing", count(r.Run.Missing))
	}
	return s
}
