package main

import (
	"fmt"
	"time"

	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/scenarios/runner"
	"github.com/storm-harness/storm/workloads"
)

// aroundTrial is roughly what a trial takes beside its timeline and what its
// loads prepare: the reset before it, the acts' own time, the reading back after
// it.
const aroundTrial = 10 * time.Second

// dryRun prints what a run would do.
func (a *app) dryRun(s *scenarios.Scenario, seed int64, drawn bool) error {
	text, err := s.Describe()
	if err != nil {
		return err
	}
	order := fmt.Sprintf("seed %d", seed)
	if drawn {
		order += fmt.Sprintf(", drawn just now: a run takes this order with --seed %d", seed)
	}
	fmt.Fprintf(a.stdout, "%s\nPlan (%s):\n", plain(text), order)
	least, most, err := spans(s, seed)
	if err != nil {
		return err
	}
	for _, p := range runner.PlanOf(s, seed) {
		fmt.Fprintf(a.stdout, "  %s\n", p.ID)
	}
	time := "Roughly " + sum(least).String()
	if sum(most) != sum(least) {
		time += ", at most " + sum(most).String()
	}
	fmt.Fprintf(a.stdout, "\n%s. Nothing was started.\n", time)
	return nil
}

// spans returns what each trial of the plan takes, at least and at most, in the
// plan's order.
func spans(s *scenarios.Scenario, seed int64) (least, most []time.Duration, err error) {
	for _, p := range runner.PlanOf(s, seed) {
		t, err := s.Trial(p.Profile, p.Tour)
		if err != nil {
			return nil, nil, err
		}
		lo, hi := scenarios.Span(t.Timeline)
		around := aroundTrial
		for _, w := range t.Workloads {
			if l, ok := w.Load.(workloads.Lengthy); ok {
				around += l.Preparing()
			}
		}
		least, most = append(least, lo+around), append(most, hi+around)
	}
	return least, most, nil
}

func sum(spans []time.Duration) (all time.Duration) {
	for _, d := range spans {
		all += d
	}
	return all.Round(time.Second)
}
