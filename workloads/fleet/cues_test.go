package fleet

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestAShareIsRoundedUpAndDrawnTheSameEachTime(t *testing.T) {
	for _, of := range []struct {
		count int
		share float64
		want  int
	}{{100, 1, 100}, {100, .07, 7}, {100, .001, 1}, {3, .5, 2}, {1, .1, 1}, {10, 0, 0}, {0, 1, 0}, {10, 2, 10}} {
		draw := func() []int { return shareOf(of.count, of.share, rand.New(rand.NewPCG(1, 2))) }
		got := draw()
		if len(got) != of.want || !slices.IsSorted(got) || !slices.Equal(got, draw()) || len(slices.Compact(slices.Clone(got))) != of.want {
			t.Errorf("%g of %d: %v, want %d, each once, in order", of.share, of.count, got, of.want)
		}
	}
}

func TestARackIsWholeAndOfNeighbours(t *testing.T) {
	seen := map[int]bool{}
	for seed := range uint64(200) {
		got := rackOf(25, 10, rand.New(rand.NewPCG(seed, 0)))
		if len(got) != 10 || got[9]-got[0] != 9 || got[0]%10 != 0 || got[9] >= 25 {
			t.Fatalf("a rack of 10 of 25: %v", got)
		}
		seen[got[0]] = true
	}
	if len(seen) != 2 {
		t.Errorf("the two whole racks of 25 nodes begin at %v", seen)
	}
	if got := rackOf(5, 10, rand.New(rand.NewPCG(1, 0))); len(got) != 5 {
		t.Errorf("of a fleet that is smaller than a rack: %v", got)
	}
}

func TestNodesAreChosenByTheWordAndTheSeed(t *testing.T) {
	f := idleFleet(t, 200)
	first := f.Choose("first", .2, 0)
	if len(first) != 40 || !slices.Equal(first, f.Choose("first", .2, 0)) {
		t.Errorf("not the same twice: %v", first)
	}
	if slices.Equal(first, f.Choose("second", .2, 0)) {
		t.Error("two acts hit the same nodes")
	}
	other := idleFleet(t, 200)
	other.env.Seed = 2
	if slices.Equal(first, other.Choose("first", .2, 0)) {
		t.Error("another seed hits the same nodes")
	}
	if got := f.named(append(first, "-00999", "-1", "x-00001", "")); len(got) != 40 || got[0].name != first[0] {
		t.Errorf("found %d nodes by their names, want 40", len(got))
	}
}

func TestRestartsFillTheWindow(t *testing.T) {
	f := idleFleet(t, 400)
	spread := f.spread(f.nodes, 10*time.Second)
	quarters := [4]int{}
	for i, d := range spread {
		if d.after < 0 || d.after >= int64(10*time.Second) || i > 0 && d.after < spread[i-1].after {
			t.Fatalf("node %d restarts at %s", i, time.Duration(d.after))
		}
		quarters[d.after/int64(2500*time.Millisecond)]++
	}
	for _, n := range quarters {
		if n < 50 {
			t.Errorf("the quarters of the window have %v of 400 restarts", quarters)
		}
	}
	for _, d := range f.spread(f.nodes, 0) {
		if d.after != 0 {
			t.Fatalf("at once is after %s", time.Duration(d.after))
		}
	}
}

func TestAFleetThatIsNotUpTakesNoCue(t *testing.T) {
	f := idleFleet(t, 3)
	all := f.Choose("", 1, 0)
	if _, err := f.Restart(t.Context(), all, 0, true); !errors.Is(err, errNotUp) {
		t.Errorf("restart: %v", err)
	}
	if _, err := f.Silence(all); !errors.Is(err, errNotUp) || f.nodes[0].silent.Load() {
		t.Errorf("silence: %v", err)
	}
	if err := f.Wake(all); !errors.Is(err, errNotUp) {
		t.Errorf("wake: %v", err)
	}
	if synced, total, _ := f.Synced(all); synced != 0 || total != 27 {
		t.Errorf("%d of %d watches are up", synced, total)
	}
}
