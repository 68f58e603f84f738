package scenarios

import (
	"fmt"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/workloads"
)

// The phases of a trial, which are also the sorts of its steps.
const (
	PhaseWarmup    = "warmup"
	PhaseSteady    = "steady"
	PhaseFault     = "fault"
	PhaseOperation = "operation"
	PhaseRecovery  = "recovery"
	PhaseCooldown  = "cooldown"
)

// Trial is what one trial runs. Its workloads and acts are values of its own,
// made afresh by every call of Scenario.Trial.
type Trial struct {
	Profile   string
	Tour      string        // empty for a trial of a block
	Cluster   clusters.Spec // defaulted
	Measure   Measure
	Workloads []Workload
	Timeline  []Step
	Gates     []rundir.Gate // those that this trial is judged by
}

// Workload is a load with its name and kind.
type Workload struct {
	Name string
	Kind string
	Load workloads.Workload
}

// Step is one step of a timeline.
type Step struct {
	Phase string        // one of the Phase constants
	For   time.Duration // how long; of a recovery at most so long; of a fault and an operation see Act
	Act   *acts.Step    // of a fault or an operation
}

// Trial returns what a trial runs under a profile: the blocks' timeline, or
// that of a tour where its name is given.
func (s *Scenario) Trial(profile, tour string) (Trial, error) {
	root, problems := s.patched(profile, tour)
	c := newCheck(s.kinds, root, problems)
	if err := c.problems.Err(); err != nil {
		return Trial{}, fmt.Errorf("the scenario under profile %q: %w", profile, err)
	}
	spec := c.doc.Spec
	t := Trial{Profile: profile, Tour: tour, Cluster: spec.Cluster.Defaulted(), Measure: s.observing(spec.Measure)}
	for _, w := range spec.Workloads {
		t.Workloads = append(t.Workloads, Workload{string(w.Name), w.Load.Kind, w.Load.Value})
	}
	timeline := spec.Timeline
	if tour != "" {
		timeline = nil
		for _, candidate := range spec.Tours {
			if string(candidate.Name) == tour {
				timeline = candidate.Timeline
			}
		}
	}
	for _, st := range timeline {
		t.Timeline = append(t.Timeline, st.resolve())
	}
	for _, g := range s.Gates {
		if g.Tour == tour {
			t.Gates = append(t.Gates, g)
		}
	}
	return t, nil
}

// Span returns the least and the most time that a timeline takes, apart from
// what its acts need to take effect.
func Span(timeline []Step) (least, most time.Duration) {
	for _, st := range timeline {
		switch {
		case st.Act != nil:
			least, most = least+st.Act.For, most+st.Act.For
		case st.Phase == PhaseRecovery:
			most += st.For
		default:
			least, most = least+st.For, most+st.For
		}
	}
	return least, most
}

// YAML returns the scenario as it was resolved, --set and --profile included.
func (s *Scenario) YAML() ([]byte, error) { return s.source.YAML() }

// Missing returns everything in the scenario that needs what the cluster lacks,
// as an error with the places. absent gives the reason for each capability that
// is lacking: "not root, so no network namespaces: run `storm doctor`".
func (s *Scenario) Missing(absent map[clusters.Capability]string) error {
	c := newCheck(s.kinds, s.source, nil)
	c.eachAct(func(a placedAct) {
		for _, need := range a.act.Needs() {
			if reason, lacks := absent[need]; lacks {
				c.add(a.key, "cannot be done on this cluster, which lacks the capability %q: %s", need, reason)
			}
		}
	})
	return addNew(c.problems, s.missingLoads(absent), "").Err()
}

// resolve returns the step as the runner takes it. A name that is absent is
// the act's kind.
func (st step) resolve() Step {
	switch {
	case st.Warmup != nil:
		return Step{Phase: PhaseWarmup, For: st.Warmup.D()}
	case st.Steady != nil:
		return Step{Phase: PhaseSteady, For: st.Steady.D()}
	case st.Cooldown != nil:
		return Step{Phase: PhaseCooldown, For: st.Cooldown.D()}
	case st.Recovery != nil:
		return Step{Phase: PhaseRecovery, For: st.Recovery.AtMost.D()}
	case st.Fault != nil:
		a := &acts.Step{Name: string(st.Fault.Name), Kind: st.Fault.Act.Kind, Sort: acts.SortFault, Act: st.Fault.Act.Value, Heal: st.Fault.Heal}
		if st.Fault.For != nil {
			a.For = st.Fault.For.D()
		}
		return Step{Phase: PhaseFault, Act: withName(a)}
	case st.Operation != nil:
		a := &acts.Step{Name: string(st.Operation.Name), Kind: st.Operation.Act.Kind, Sort: acts.SortOperation, Act: st.Operation.Act.Value}
		return Step{Phase: PhaseOperation, Act: withName(a)}
	}
	return Step{}
}

func withName(a *acts.Step) *acts.Step {
	if a.Name == "" {
		a.Name = a.Kind
	}
	return a
}
