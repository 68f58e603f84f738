package workloads

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/lean"
)

// PayPal's stages keep their proportions.
func TestStagesScale(t *testing.T) {
	s := of(func(s *Stages) { s.Scale = .01 }).(*Stages)
	for i, want := range []int{20, 160, 320, 1500, 2000} {
		if got := s.scaled(s.Stages[i].Pods); got != want {
			t.Errorf("stage %d has %d pods, want %d", i, got, want)
		}
	}
}

func aFilling() (*filling, *measure.Recorder, *sync.Map) {
	var ok sync.Map // verb → count
	rec := measure.NewRecorder(measure.NewClock(), func(w rundir.Window) {
		n, _ := ok.LoadOrStore(w.Verb, uint64(0))
		ok.Store(w.Verb, n.(uint64)+w.OK)
	})
	return newFilling(func(verb, detail string) *measure.Series {
		return rec.Series(rundir.Key{Verb: verb, Detail: detail})
	}), rec, &ok
}

func aPod(uid, node, phase string) *lean.Pod {
	return &lean.Pod{Meta: lean.Meta{UID: uid}, Node: node, Phase: phase}
}

// The counts follow the pods through their lives, whatever the watch goes through.
func TestFillingCountsPods(t *testing.T) {
	f, rec, ok := aFilling()
	f.begin("x")
	see := func(at int64, kind string, p *lean.Pod, want census) {
		t.Helper()
		f.mu.Lock()
		f.see(at, kind, p)
		f.mu.Unlock()
		if want.at = at; f.now != want {
			t.Fatalf("%s %+v: %+v, want %+v", kind, p, f.now, want)
		}
	}
	see(1, "ADDED", aPod("a", "", "Pending"), census{made: 1})
	see(2, "MODIFIED", aPod("a", "n", "Pending"), census{made: 1, bound: 1})
	see(3, "MODIFIED", aPod("a", "n", "Running"), census{made: 1, bound: 1, running: 1})
	see(4, "LISTED", aPod("b", "n", "Running"), census{made: 2, bound: 2, running: 2})
	see(5, "ADDED", aPod("c", "", ""), census{made: 3, bound: 2, running: 2})
	deleted := aPod("a", "n", "Running")
	deleted.Deleting = true
	see(6, "MODIFIED", deleted, census{made: 3, bound: 2, running: 1})
	see(7, "DELETED", deleted, census{made: 2, bound: 1, running: 1})
	see(8, "MODIFIED", aPod("c", "n", "Failed"), census{made: 2, bound: 2, running: 1})
	f.Synced(9) // of the list, which had b alone
	if want := (census{at: 9, made: 1, bound: 1, running: 1}); f.now != want {
		t.Errorf("after a list: %+v, want %+v", f.now, want)
	}
	rec.Close()
	// b was there before, so that its beginning is not known.
	for verb, want := range map[string]uint64{"bind": 2, "start": 1} {
		if got, _ := ok.Load(verb); got != want {
			t.Errorf("%s: %v counted, want %d", verb, got, want)
		}
	}
}

// A pod that has run is none that did not start, whatever became of it.
func TestFillingCountsThePodsThatDoNotStart(t *testing.T) {
	got := map[string]uint64{}
	rec := measure.NewRecorder(measure.NewClock(), func(w rundir.Window) { got[w.Verb] += w.Errors[measure.CodeUnended] })
	f := newFilling(func(verb, detail string) *measure.Series {
		return rec.Series(rundir.Key{Verb: verb, Detail: detail})
	})
	f.begin("x")
	f.mu.Lock()
	f.see(0, "ADDED", aPod("ran", "n", "Pending"))
	f.see(1, "MODIFIED", aPod("ran", "n", "Running"))
	f.see(2, "MODIFIED", aPod("ran", "n", "Failed"))
	f.see(3, "ADDED", aPod("bound", "n", "Pending"))
	f.see(4, "ADDED", aPod("waits", "", "Pending"))
	f.mu.Unlock()
	f.settle(int64(time.Minute))
	rec.Close()
	if got["start"] != 2 || got["bind"] != 1 {
		t.Errorf("counted %v", got)
	}
}

// A stage that the load's end found unfinished, or not begun, shows as one that did
// not end; one that was reached, as how long it took.
func TestStagesThatAreNotReachedAreCounted(t *testing.T) {
	type counted struct{ ok, unended uint64 }
	var mu sync.Mutex
	got := map[string]counted{}
	rec := measure.NewRecorder(measure.NewClock(), func(w rundir.Window) {
		mu.Lock()
		defer mu.Unlock()
		if c := got[w.Detail]; w.Verb == "stage" {
			got[w.Detail] = counted{c.ok + w.OK, c.unended + w.Errors[measure.CodeUnended]}
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pods := newFilling(func(verb, detail string) *measure.Series {
		if detail == "to 10" {
			cancel() // the second stage has begun, and its workers wait for nodes
		}
		return rec.Series(rundir.Key{Verb: verb, Detail: detail})
	})
	pods.now = census{running: 5}
	f := &filler{
		Stages: of(func(s *Stages) { s.Stages, s.Hold, s.Pending = []Stage{{5}, {10}, {15}}, 0, 0 }).(*Stages),
		env:    &Env{Name: "x", Clock: measure.NewClock(), Log: slog.New(slog.DiscardHandler)}, pods: pods, asked: 5,
	}
	f.run(ctx)
	rec.Close()
	want := map[string]counted{"to 5": {ok: 1}, "to 10": {unended: 1}, "to 15": {unended: 1}}
	if !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// Workers take every pod of a stage once, and never one more while too many
// have no node.
func TestWorkersPauseAtTheBound(t *testing.T) {
	pods, rec, _ := aFilling()
	defer rec.Close()
	f := &filler{Stages: of(func(s *Stages) { s.Replicas, s.Pending = 10, 25 }).(*Stages), pods: pods}
	const want = 95
	var mu sync.Mutex
	seen, sum := map[int]bool{}, 0
	var workers sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for range 7 {
		workers.Go(func() {
			for {
				var index, replicas int
				if !pods.await(ctx, func(c census) (over bool) {
					index, replicas, over = f.take(c, want)
					if open := f.asked - c.bound; open > 25+10 {
						t.Errorf("%d pods have no node", open)
					}
					return over || replicas > 0
				}) || replicas == 0 {
					return
				}
				mu.Lock()
				if seen[index] || replicas > 10 {
					t.Errorf("deployment %d again, or of %d", index, replicas)
				}
				seen[index], sum = true, sum+replicas
				mu.Unlock()
			}
		})
	}
	// Whatever was asked for gets a node, one pod after the other.
	for i := range want {
		for ctx.Err() == nil {
			pods.mu.Lock()
			there := f.asked > i
			if there {
				pods.see(int64(i), "ADDED", aPod(string(rune('0'+i)), "n", "Pending"))
			}
			pods.mu.Unlock()
			if there {
				break
			}
		}
	}
	workers.Wait()
	if ctx.Err() != nil || sum != want || len(seen) != 10 {
		t.Errorf("%v: %d pods in %d deployments, want %d in 10", ctx.Err(), sum, len(seen), want)
	}
}
