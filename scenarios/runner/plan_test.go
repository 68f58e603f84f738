package runner

import (
	"slices"
	"testing"
)

func TestPlanHoldsEveryProfileOnceABlock(t *testing.T) {
	profiles := []string{"stock", "fast", "slow"}
	plan := Plan(profiles, false, 8, []Tour{{"repair", "stock"}}, 42)
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
		for _, p := range Plan([]string{"a", "b"}, false, 16, nil, seed) {
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

// The warm-up block goes first, is marked, and changes nothing of what follows
// but the numbers.
func TestPlanWithAWarmupBlock(t *testing.T) {
	profiles := []string{"a", "b", "c"}
	with, without := Plan(profiles, true, 6, nil, 3), Plan(profiles, false, 6, nil, 3)
	var first []string
	for _, p := range with[:3] {
		if !p.Discarded || p.Block != 0 || p.Tour != "" {
			t.Errorf("%+v is not marked as discarded", p)
		}
		first = append(first, p.Profile)
	}
	if slices.Sort(first); !slices.Equal(first, profiles) || with[0].ID[:10] != "001-warmup" {
		t.Errorf("the warm-up block holds %v, and begins with %s", first, with[0].ID)
	}
	for i, p := range with[3:] {
		if q := without[i]; p.Discarded || p.Block != q.Block || p.Profile != q.Profile {
			t.Errorf("trial %d is %+v with a warm-up block, and %+v without", i, p, q)
		}
	}
}
