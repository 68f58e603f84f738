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
		if t.state != TrialValid || acked == 0 {
			continue
		}
		row := rows.row(key{t.Profile, t.Tour}, func() RPO { return RPO{Profile: t.Profile, Tour: t.Tour} })
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

// bound says what the trials support.
func (r *RPO) bound(confidence float64) {
	r.AtMost, r.Confidence = Number(stats.AtMost(r.Losing, r.Trials, confidence)), confidence
	where := r.Profile
	if r.Tour != "" {
		where += ", tour " + r.Tour
	}
	trials := unit.Count(r.Trials, "trial")
	if r.Lost == 0 {
		r.Text = fmt.Sprintf("%s: none of %s was lost in %s", where, unit.Count(r.Acked, "acknowledged write"), trials)
	} else {
		r.Text = fmt.Sprintf("%s: %d of %s were lost, in %d of %s", where, r.Lost, unit.Count(r.Acked, "acknowledged write"), r.Losing, trials)
	}
	if r.Restored > 0 {
		r.Text += fmt.Sprintf("; a restore took back %d at most, as it must", r.Restored)
	}
	r.Text += fmt.Sprintf("; with %s confidence, at most %s of such trials lose any", percent(confidence), percent(r.AtMost.Float()))
}
