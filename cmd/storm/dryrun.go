package main

import (
	"fmt"
	"time"

	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/scenarios/runner"
)

// aroundTrial is roughly what a trial takes beside its timeline: the reset
// before it, the loads' preparation, the reading back after it.
const aroundTrial = 8 * time.Second

// dryRun prints what a run would do.
func (a *app) dryRun(s *scenarios.Scenario, seed int64) error {
	text, err := s.Describe()
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s\nPlan (seed %d):\n", plain(text), seed)
	var least, most time.Duration
	for _, p := range runner.PlanOf(s, seed) {
		t, err := s.Trial(p.Profile, p.Tour)
		if err != nil {
			return err
		}
		lo, hi := scenarios.Span(t.Timeline)
		least, most = least+lo+aroundTrial, most+hi+aroundTrial
		fmt.Fprintf(a.stdout, "  %s\n", p.ID)
	}
	fmt.Fprintf(a.stdout, "\nRoughly %s, at most %s. Nothing was started.\n", least.Round(time.Second), most.Round(time.Second))
	return nil
}
