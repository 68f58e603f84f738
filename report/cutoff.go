package report

import (
	"github.com/storm-harness/storm/internal/rundir"
)

// cutOff marks a trial without a record, and takes from its events what the
// record would have said of phases and acts. Nothing is concluded from it.
func (t *trial) cutOff(why string) {
	t.state = TrialCutOff
	t.reasons = append(t.reasons, why)
	t.done = rundir.Trial{Planned: t.Planned}
	open := map[string]int{} // phase → its place, while it has no end
	for _, e := range t.events {
		switch e.Kind {
		case rundir.EventPhaseBegin:
			open[e.Subject] = len(t.done.Phases)
			t.done.Phases = append(t.done.Phases, rundir.Phase{Name: e.Subject, From: e.At, To: t.end})
		case rundir.EventPhaseEnd:
			if i, ok := open[e.Subject]; ok {
				t.done.Phases[i].To = e.At
				delete(open, e.Subject)
			}
		case rundir.EventActIntended:
			t.done.Acts = append(t.done.Acts, rundir.Act{Name: e.Subject, Kind: e.Data["kind"], Sort: e.Data["sort"], Intended: e.At})
		default:
			t.step(e)
		}
	}
}

// step enters an event into the latest act of its name.
func (t *trial) step(e rundir.Event) {
	for i := len(t.done.Acts) - 1; i >= 0; i-- {
		a := &t.done.Acts[i]
		if a.Name != e.Subject {
			continue
		}
		switch e.Kind {
		case rundir.EventActInjected:
			a.Injected, a.Target = e.At, e.Text
		case rundir.EventActProven:
			a.Proven, a.Proof = e.At, e.Text
		case rundir.EventActHealing:
			a.Healing, a.HealSort = e.At, e.Text
		case rundir.EventActHealed:
			a.Healed, a.HealedBy = e.At, e.Text
		case rundir.EventActFailed:
			a.Error = e.Text
		}
		return
	}
}
