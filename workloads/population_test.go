package workloads

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
)

// A population stays within its bound, and nobody gets what another has.
func TestPopulationIsBoundedAndNobodySharesAnObject(t *testing.T) {
	const most = 50
	p := &population{most: most}
	rng := rand.New(rand.NewPCG(1, 2))
	var busy []member
	there, at := map[uint64]bool{}, map[uint64]bool{} // exist, or are being made; are in somebody's hands
	largest := 0
	for range 100_000 {
		if len(busy) < most && rng.IntN(2) == 0 {
			wanted := rng.IntN(2) == 0
			m, fresh := p.take(wanted, rng.Uint64())
			if at[m.n] || fresh == there[m.n] {
				t.Fatalf("object %d: in hands %v, there %v, fresh %v", m.n, at[m.n], there[m.n], fresh)
			}
			if fresh != wanted && wanted && len(there) < most {
				t.Fatalf("no room with %d of %d", len(there), most)
			}
			there[m.n], at[m.n] = true, true
			busy = append(busy, m)
		} else if len(busy) > 0 {
			i := rng.IntN(len(busy))
			m := busy[i]
			busy = append(busy[:i], busy[i+1:]...)
			delete(at, m.n)
			if rng.IntN(3) == 0 {
				p.drop()
				delete(there, m.n)
			} else {
				p.put(m)
			}
		}
		largest = max(largest, len(there))
		if len(there) > most || len(p.idle)+p.busy != len(there) {
			t.Fatalf("%d objects, %d idle and %d busy, at most %d", len(there), len(p.idle), p.busy, most)
		}
	}
	if largest != most {
		t.Errorf("there were at most %d objects, the bound of %d was never met", largest, most)
	}
}

// The seed decides what the slots are for, in the shares that were asked for.
func TestObjectChurnDrawsItsShares(t *testing.T) {
	o := of(func(o *ObjectChurn) { o.Create, o.Update, o.Patch, o.Delete = .1, .4, .3, .2 }).(*ObjectChurn)
	rec := measure.NewRecorder(measure.NewClock(), func(rundir.Window) {})
	defer rec.Close()
	of := func(verb string) *measure.Series { return rec.Series(rundir.Key{Verb: verb}) }
	draws := func(seed uint64) (verbs []string, sizes []int) {
		c := &objectChanges{ObjectChurn: o, seed: seed, create: of("create"), update: of("update"), patch: of("patch"), remove: of("delete")}
		for n := range uint64(20_000) {
			s, rng := c.draw(pace.Slot{N: n})
			verbs, sizes = append(verbs, s.Key().Verb), append(sizes, rng.IntN(1<<20))
		}
		return verbs, sizes
	}
	verbs, sizes := draws(7)
	again, same := draws(7)
	other, _ := draws(8)
	counts, differ := map[string]float64{}, 0
	for i, v := range verbs {
		counts[v]++
		if again[i] != v || same[i] != sizes[i] {
			t.Fatalf("slot %d is for %s of %d, then for %s of %d", i, v, sizes[i], again[i], same[i])
		}
		if other[i] != v {
			differ++
		}
	}
	for verb, want := range map[string]float64{"create": .1, "update": .4, "patch": .3, "delete": .2} {
		if got := counts[verb] / 20_000; math.Abs(got-want) > .015 {
			t.Errorf("%s: a share of %v, want %v", verb, got, want)
		}
	}
	if differ < 5000 {
		t.Errorf("another seed changes %d of 20000 slots", differ)
	}
}

func TestPick(t *testing.T) {
	for u, want := range map[float64]int{0: 1, .0999: 1, .1001: 2, .2999: 2, .3001: 3, .9999999999: 3} {
		if got := pick(u, 0, .1, .2, .7); got != want {
			t.Errorf("%v falls into share %d, want %d", u, got, want)
		}
	}
	if sum := sumOf([]share{{"a", .1}, {"b", .2}, {"c", .7}}); sum != 1 {
		t.Errorf("10%%, 20%% and 70%% are %s", sum)
	}
}

// What a carrier writes carries what it was given, of the size that was asked
// for, up to the limit and no further.
func TestCarriersCarry(t *testing.T) {
	for name, c := range carriers {
		if c.resource.name != name {
			t.Errorf("%s is filed under %s", c.resource, name)
		}
		rng := rand.New(rand.NewPCG(1, 1))
		h := newHold(1, c.limit)
		for _, s := range []string{"0B", "1B", "10KiB", "exponential 1GiB", c.limit.String()} {
			size := c.size(sizes(s), rng)
			cargo := h.take(size, rng)
			body, err := c.encode(metav1.ObjectMeta{Name: "x", ResourceVersion: "12"}, cargo)
			if err != nil || len(cargo) != size || unit.Size(size) > c.limit || !strings.Contains(string(body), cargo) || len(body) > size+1000 {
				t.Errorf("%s of %s: %d bytes for %d of cargo (%v)", name, s, len(body), size, err)
			}
		}
	}
	body, err := carriers["widgets"].encode(metav1.ObjectMeta{Name: "x", ResourceVersion: "12"}, "abc")
	var w struct {
		APIVersion, Kind string
		Metadata         struct{ Name, ResourceVersion string }
		Spec             struct{ Cargo string }
	}
	if err != nil || json.Unmarshal(body, &w) != nil || w.APIVersion != "load.storm.dev/v1" || w.Kind != "Widget" ||
		w.Metadata.Name != "x" || w.Metadata.ResourceVersion != "12" || w.Spec.Cargo != "abc" {
		t.Errorf("%s, %v", body, err)
	}
	if spec := idlePod(); spec.NodeName != "" || spec.SchedulerName == corev1.DefaultSchedulerName {
		t.Errorf("somebody may schedule %+v", spec)
	}
}
