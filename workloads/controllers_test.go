package workloads

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/golden"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
)

// The loads that keep controllers and their servers at work say what they do,
// and refuse what they cannot.
func TestDescriptionsOfControllerLoads(t *testing.T) {
	var out strings.Builder
	for _, w := range []Workload{
		of(func(r *RogueDaemonSet) { r.Count = 1000 }),
		of(func(r *RogueDaemonSet) {
			r.Count, r.ResourceVersion, r.Jitter, r.Period, r.Content = 1, "0", .5, unit.Duration(time.Second), "json"
		}),
		of(func(r *RogueDaemonSet) {
			r.Count, r.Rate, r.Connections = 500, schedule("0/s..20/s over 60s"), "own"
		}),
		of(func(j *Jobs) { j.Rate = unit.Steady(5) }),
		of(func(j *Jobs) {
			j.Rate, j.Completions, j.Parallelism, j.TTL = schedule("0/s..20/s over 60s"), 10, 50, 0
		}),
		of(func(*Stages) {}),
		of(func(s *Stages) { s.Scale, s.Workers, s.Hold = .01, 1, 0 }),
		of(func(e *EtcdDirect) { e.Rate = unit.Steady(500) }),
		of(func(e *EtcdDirect) {
			e.Rate, e.Shard, e.Mix, e.Watches = unit.Steady(500), "events", EtcdMix{Event: .75, Put: .25}, 12
		}),
		of(func(n *NamespaceChurn) { n.Rate = unit.Steady(.5) }),
		of(func(n *NamespaceChurn) { n.Rate, n.ConfigMaps, n.Secrets = unit.Steady(.5), 20, 0 }),
	} {
		if problems := w.Check(); len(problems) > 0 {
			t.Errorf("%s\nis refused: %v", w.Describe(), problems)
		}
		fmt.Fprintln(&out, w.Describe())
	}
	golden.Check(t, "describe-controllers", out.String())
}

func TestBadInputOfControllerLoads(t *testing.T) {
	cases := map[string]Workload{
		"rogue: nobody": of(func(*RogueDaemonSet) {}),
		"rogue: beyond reason": of(func(r *RogueDaemonSet) {
			r.Count, r.Period, r.Jitter, r.ResourceVersion, r.Content, r.InFlight, r.Timeout, r.Connections = 1e9, 1, 2, "latest", "yaml", 0, 0, "none"
		}),
		"rogue: too often": of(func(r *RogueDaemonSet) { r.Count, r.Period = 100_000, unit.Duration(20*time.Millisecond) }),
		"rogue: rate and period": of(func(r *RogueDaemonSet) {
			r.Count, r.Period, r.Jitter, r.Rate, r.Arrivals = 10, unit.Duration(time.Second), .5, unit.Steady(2e6), "bursty"
		}),
		"rogue: no rate":              of(func(r *RogueDaemonSet) { r.Count, r.Rate = 10, unit.Steady(0) }),
		"rogue: arrivals of a period": of(func(r *RogueDaemonSet) { r.Count, r.Arrivals = 10, "poisson" }),
		"jobs: nothing":               of(func(j *Jobs) { j.Completions, j.Parallelism, j.Deadline, j.TTL = 0, 0, 0, -1 }),
		"jobs: beyond reason": of(func(j *Jobs) {
			j.Rate, j.Completions, j.Parallelism, j.TTL = unit.Steady(1e9), 1e6, 1e6, unit.Duration(1e6*time.Hour)
		}),
		"jobs: parts of seconds": of(func(j *Jobs) {
			j.Rate, j.Deadline, j.TTL = unit.Steady(1), unit.Duration(1500*time.Millisecond), unit.Duration(time.Millisecond)
		}),
		"stages: none":           of(func(s *Stages) { s.Stages = nil }),
		"stages: not rising":     of(func(s *Stages) { s.Stages = []Stage{{10}, {10}, {0}} }),
		"stages: scaled to none": of(func(s *Stages) { s.Stages, s.Scale = []Stage{{10}, {2000}, {2010}}, .01 }),
		"stages: beyond reason": of(func(s *Stages) {
			s.Stages, s.Scale, s.Replicas, s.Workers, s.Pending, s.Hold, s.Timeout = []Stage{{1e9}}, 2, 0, 0, -1, -1, 0
		}),
		"etcd: beyond reason": of(func(e *EtcdDirect) {
			e.Rate, e.Shard, e.Keys, e.Size, e.Limit, e.TTL, e.Watches = unit.Steady(1e9), "", 1, unit.OneSize(2<<20), 0, 0, -1
		}),
		"etcd: mix": of(func(e *EtcdDirect) {
			e.Rate, e.Mix, e.TTL = unit.Steady(1), EtcdMix{Create: .5, Update: .4}, unit.Duration(1500*time.Millisecond)
		}),
		"namespaces: beyond reason": of(func(n *NamespaceChurn) {
			n.Rate, n.ConfigMaps, n.Secrets, n.Size = unit.Steady(1), -1, 1e6, unit.OneSize(2<<20)
		}),
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		problems := cases[name].Check()
		if len(problems) == 0 {
			t.Errorf("%s: nothing was refused", name)
		}
		fmt.Fprintf(&out, "%s\n", name)
		for _, p := range problems {
			fmt.Fprintf(&out, "    %s\n", p)
		}
	}
	golden.Check(t, "check-controllers", out.String())
}

// A deployment whose last change is under way keeps the next one waiting: that is
// no lateness of storm's.
func TestAChangeThatWaitsForTheOneBeforeIsHeld(t *testing.T) {
	c := &changes{env: &Env{Clock: measure.NewClock()}, busy: make([]sync.Mutex, 2)}
	if ctx := c.take(t.Context(), 0); measure.HeldIn(ctx) != 0 {
		t.Error("nothing was under way")
	}
	for held := int64(0); held == 0; { // until it came before it was let go
		took := make(chan int64)
		begun := make(chan struct{})
		go func() {
			close(begun)
			took <- measure.HeldIn(c.take(t.Context(), 0))
		}()
		<-begun
		runtime.Gosched()
		c.busy[0].Unlock()
		held = <-took
	}
}
