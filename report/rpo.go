package report

import (
	"fmt"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report/stats"
)

// rpo counts lost writes exactly, and says what so few trials support: that
// none was lost in six of them does not say that none ever is.
func rpo(run rundir.Run, trials []*trial) []RPO {
	type key struct{ profile, tour string }
	var rows table[key, RPO]
	for _, t := range trials {
		acked, lost, restored := t.writes()
		// A trial that does not count says nothing of how often writes are lost; but
		// what it lost is lost, and fails its gate.
		if lost == 0 && (acked == 0 || t.state != TrialValid) {
			continue
		}
		row := rows.row(key{t.Profile, t.Tour}, func() RPO { return RPO{Profile: t.Profile, Tour: t.Tour} })
		if t.state != TrialValid {
			row.beside = append(row.beside, besideLoss{t.ID, lost, t.Discarded})
			continue
		}
		row.Trials++
		row.Acked += acked
		row.Lost += lost
		row.Restored = max(row.Restored, restored)
		if lost > 0 {
			row.Losing++
		}
	}
	for i := range rows.rows {
		rows.rows[i].bound(1 - alphaOf(run))
	}
	return rows.rows
}

// writes are the witness's in one trial. An account holds all writes of its
// trial so far, and what is lost in one is lost in those that follow, so of
// each way of writing the highest counts.
func (t *trial) writes() (acked, lost, restored int) {
	type way struct{ via, shard string }
	var rows table[way, rundir.Audit]
	for _, a := range t.done.Journal {
		r := rows.row(way{a.Via, a.Shard}, func() rundir.Audit { return rundir.Audit{} })
		r.Acked, r.Lost, r.Restored = max(r.Acked, a.Acked), max(r.Lost, a.Lost+a.Mismatch), max(r.Restored, a.Restored)
	}
	for _, r := range rows.rows {
		acked, lost, restored = acked+r.Acked, lost+r.Lost, restored+r.Restored
	}
	return acked, lost, restored
}

// besideLoss is what a trial lost that does not count.
type besideLoss struct {
	trial  string
	lost   int
	warmup bool
}

// bound says what the trials support, and what was lost in others.
func (r *RPO) bound(confidence float64) {
	r.AtMost, r.Confidence = Number(stats.AtMost(r.Losing, r.Trials, confidence)), confidence
	where := r.Profile
	if r.Tour != "" {
		where += ", tour " + r.Tour
	}
	trials := unit.Count(r.Trials, "trial")
	if r.Trials == 0 {
		r.Text = where + ": no valid trial tells whether acknowledged writes are lost" + r.lostBeside()
		return
	}
	if r.Lost == 0 {
		r.Text = fmt.Sprintf("%s: none of %s was lost in %s", where, unit.Count(r.Acked, "acknowledged write"), trials)
	} else {
		r.Text = fmt.Sprintf("%s: %d of %s were lost, in %d of %s", where, r.Lost, unit.Count(r.Acked, "acknowledged write"), r.Losing, trials)
	}
	if r.Restored > 0 {
		r.Text += fmt.Sprintf("; a restore took back %d at most, as it must", r.Restored)
	}
	r.Text += fmt.Sprintf("; with %s confidence, at most %s of such trials lose any", percent(confidence), percent(r.AtMost.Float()))
	r.Text += r.lostBeside()
}

// lostBeside says what was lost in trials that do not count.
func (r *RPO) lostBeside() (s string) {
	more := ""
	if r.Lost > 0 {
		more = "more "
	}
	for _, b := range r.beside {
		which := "which is not valid"
		if b.warmup {
			which = "of the warm-up block"
		}
		s += fmt.Sprintf("; %d %s%s lost in %s, %s", b.lost, more, plural(b.lost, "was", "were"), b.trial, which)
	}
	return s
}
