package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/unit"
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

// noOutage is said of what was watched and of which no probe failed: n is the
// longest time between two successes, in which a shorter stall shows.
func noOutage(n report.Number) string { return "gap " + seconds(n) }

// recovered writes a group's time, how it is bounded where trials did not
// recover while they were watched, or that there was nothing to recover from.
func recovered(g report.RecoveryGroup, n report.Number) string {
	if n.Is() && unharmed(g) {
		return noOutage(n)
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

// unwell says in how many more trials it recovered, and other parts did not.
func unwell(g report.RecoveryGroup) string {
	if g.Unwell == 0 {
		return ""
	}
	return fmt.Sprintf(" (in %s more, other parts)", unit.Grouped(g.Unwell))
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

// notValid are the trials from which nothing may be concluded.
func notValid(r *report.Result) []report.Trial {
	var out []report.Trial
	for _, t := range r.Trials {
		if t.State != report.TrialValid && t.State != report.TrialDiscarded {
			out = append(out, t)
		}
	}
	return out
}

// trialsSentence counts the trials.
func trialsSentence(r *report.Result) string {
	s := fmt.Sprintf("%s of %s valid", unit.Grouped(r.Run.Valid), unit.Count(r.Run.Planned, "trial"))
	if r.Run.Invalid > 0 {
		s += fmt.Sprintf(", %s invalid", unit.Grouped(r.Run.Invalid))
	}
	if r.Run.Discarded > 0 {
		s += fmt.Sprintf(", %s discarded as warm-up", unit.Grouped(r.Run.Discarded))
	}
	if r.Run.Missing > 0 {
		s += fmt.Sprintf(", %s missing", unit.Grouped(r.Run.Missing))
	}
	return s
}
