package render

import (
	"fmt"
	"slices"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

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
	s := fmt.Sprintf("Of %s acknowledged writes looked up afterwards, ", unit.Grouped(sum.Acked))
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
		s += fmt.Sprintf("; etcd and the API server disagree on %s", unit.Count(sum.Disagree, "key"))
	}
	if !slices.ContainsFunc(r.Trials, func(t report.Trial) bool { return t.State == report.TrialValid }) {
		s += "; no trial is valid, so that this holds for what was looked up, and proves nothing of the faults"
	}
	return s + "."
}

func areWere(n int) string {
	if n == 1 {
		return "1 was"
	}
	return unit.Grouped(n) + " were"
}

func contradict(n int) string {
	if n == 1 {
		return "1 contradicts"
	}
	return unit.Grouped(n) + " contradict"
}
