package scenarios

import (
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/strict"
)

// Refused returns everything that somebody has against the cluster of a profile
// or a tour, as an error with the places. ask gives it of one spec, each
// "field: message" as clusters.Spec.Check has them.
func (s *Scenario) Refused(ask func(clusters.Spec) []string) error {
	var problems strict.Problems
	for _, v := range s.variants() {
		root, merged := s.patched(v.profile, v.tour)
		c := newCheck(s.kinds, root, merged)
		c.own("spec.cluster", ask(c.doc.Spec.Cluster.Defaulted()))
		problems = addNew(problems, c.problems, v.suffix())
	}
	return problems.Err()
}

// EachTrial calls do for what every profile and tour runs, until it returns an
// error.
func (s *Scenario) EachTrial(do func(Trial) error) error {
	for _, v := range s.variants() {
		t, err := s.Trial(v.profile, v.tour)
		if err != nil {
			return err
		}
		if err := do(t); err != nil {
			return err
		}
	}
	return nil
}

// EachCluster calls do for the wanted cluster of every profile and tour, until
// it returns an error.
func (s *Scenario) EachCluster(do func(clusters.Spec) error) error {
	return s.EachTrial(func(t Trial) error { return do(t.Cluster) })
}
