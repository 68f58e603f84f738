package runner

import (
	"slices"
	"testing"
)

func TestPlanHoldsEveryProfileOnceABlock(t *testing.T) {
	profiles := []string{"stock", "fast", "slow"}
	plan := Plan(profiles, 8, []Tour{{"repair", "stock"}}, 42)
	if len(plan) != 8*3+1 {
		t.Fatalf("%d trials, want 25", len(plan))
	}
	seen := map[string]bool{}
	for _, p := range plan {
		if seen[p.ID] {
			t.Errorf("%s is planned twice", p.ID)
		}
		seen[p.ID] = true
	}
	for block := 1; block <= 8; block++ {
		var got []string
		for _, p := range plan {
			if p.Block == block {
				got = append(got, p.Profile)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, []string{"fast", "slow", "stock"}) {
			t.Errorf("block %d holds %v", block, got)
		}
	}
	if last := plan[24]; last.Tour != "repair" || last.ID != "025-tour-repair" {
		t.Errorf("the tour comes last, got %+v", last)
	}
}

func TestPlanIsAFunctionOfTheSeed(t *testing.T) {
	order := func(seed int64) (s string) {
		for _, p := range Plan([]string{"a", "b"}, 16, nil, seed) {
			s += p.Profile
		}
		return s
	}
	if first, again := order(7), order(7); first != again {
		t.Error("the same seed gave two orders")
	}
	if order(7) == order(8) {
		t.Error("two seeds gave the same order of 16 blocks: the order does not depend on the seed")
	}
}
