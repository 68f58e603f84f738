package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
)

// own is why a trial is unusable where the system under test is the reason: a
// component of it died, it bore no load, it did not come back from a fault, let an
// operation fail, or did not tell what became of its writes.
// Such a trial is no noise of the machine. It cannot be put into a number either,
// but what is left without it is the better part: no gate passes on that. Empty
// where the trial is valid, or storm or its machine is the reason.
func (t *trial) own() string {
	if t.state != TrialInvalid || t.done.Outcome != "done" {
		return ""
	}
	for _, a := range t.done.Acts {
		if a.Unhealed {
			return a.Name + " " + a.Error
		}
	}
	if len(t.done.Exits) > 0 {
		return "a component died unasked: " + t.done.Exits[0]
	}
	if !t.kept() {
		return "" // too little load was storm's own doing
	}
	undone, storms := t.undone()
	if len(undone) > 0 {
		return undone[0].Name + " " + or(undone[0].Error, "had no effect that was proven")
	}
	for _, r := range t.reasons {
		// What storm itself left broken may be why nothing could be read back.
		if underFloor(r) || strings.HasPrefix(r, rundir.NotReadBack) && !storms {
			return r
		}
	}
	return ""
}

// kept says whether the generator kept up, and its clock was one.
func (t *trial) kept() bool {
	return len(t.done.Health.Problems) == 0 && t.done.Clock.Problem() == ""
}

// unhealed is the recovery from the first fault of those that a gate looks at
// whose system was not well again within storm's patience: longer than every other.
// It counts though the trial is not valid, since it is what the trial was for. What
// the gate names was perhaps well again by itself: then the fault tells nothing of it.
func (t *trial) unhealed(g rundir.Gate) (value, bool) {
	if g.Metric != "recovery.time" && g.Metric != "recovery.gap" || !t.endedWell() {
		return value{}, false
	}
	for _, a := range t.done.Acts {
		if a.Unhealed && ofAct(g, a.Name, a.Kind) && !servedAgain(g, a) {
			return value{
				v: math.Inf(1), samples: 1, censored: true, seen: float64(t.end-a.Intended) / 1e9,
				note: fmt.Sprintf("%s %s", a.Name, a.Error),
			}, true
		}
	}
	return value{}, false
}

// servedAgain says whether all of the layer, op or shard that a gate names was seen to
// recover from an act. A gate that names none of them is about the system as a whole.
func servedAgain(g rundir.Gate, a rundir.Act) bool {
	if !slices.ContainsFunc([]string{"layer", "op", "shard"}, func(label string) bool { _, ok := g.Where[label]; return ok }) {
		return false
	}
	looked := false
	for _, r := range a.Recovery {
		if !r.Worst || !matches(g, "layer", r.Layer) || !matches(g, "op", r.Op) || !matches(g, "shard", r.Shard) {
			continue
		}
		if r.Censored || r.Probes == 0 {
			return false
		}
		looked = true
	}
	return looked
}

// owns counts the trials that the system under test made unusable, and has the
// first one's reason.
func owns(list []TrialValue) (n int, first string) {
	for _, v := range list {
		if v.Valid || v.own == "" {
			continue
		}
		if n++; n == 1 {
			first = v.Trial + ": " + v.own
		}
	}
	return n, first
}

// betterPart says of trials that keep a bound that others of the profile are
// missing among them for what the system did.
func betterPart(n, all int, first string) string {
	return fmt.Sprintf("the other trials keep the bound, but %s of %d cannot be used for what the system itself did (%s): no pass is given on what is left",
		unit.Count(n, "trial"), all, first)
}
