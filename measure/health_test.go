package measure

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/storm-harness/storm/internal/procfs"
	"github.com/storm-harness/storm/internal/rundir"
)

func TestGeneratorProblemsNameTheBoundThatWasCrossed(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(g *GeneratorHealth, s *Series)
		want    []string // each in one problem, in order
	}{
		"well": {func(_ *GeneratorHealth, s *Series) { s.Record(0, ms, 2*ms, "", 0) }, nil},
		"sent late": {func(_ *GeneratorHealth, s *Series) { s.Record(0, 51*ms, 60*ms, "", 0) },
			[]string{"p99 of the send lag is 51ms, the bound is 50ms"}},
		"nothing at all": {func(*GeneratorHealth, *Series) {}, []string{"intended no operation at all"}},
		"only in faults": {func(g *GeneratorHealth, s *Series) {
			g.Faulted(true)
			s.Record(0, 900*ms, 901*ms, "", 0)
			g.Faulted(false)
		}, []string{"the send lag is not known"}},
		"nothing but refusals": {func(_ *GeneratorHealth, s *Series) { s.Record(0, 0, 0, CodeRefused, 0) },
			[]string{"the send lag is not known"}},
		"closed-loop alone": {func(_ *GeneratorHealth, s *Series) { s.Observe(0, 900*ms, "", 0) }, nil},
		"starved": {func(g *GeneratorHealth, s *Series) {
			s.Record(0, ms, 2*ms, "", 0)
			g.add(300*time.Millisecond, 10)
		}, []string{"waited 30ms for each turn on a processor (p99 of the seconds), the bound is 20ms"}},
		"many threads wait a little": {func(g *GeneratorHealth, s *Series) {
			s.Record(0, ms, 2*ms, "", 0)
			g.add(900*time.Millisecond, 3000)
		}, nil},
		"no port left": {func(_ *GeneratorHealth, s *Series) {
			s.Record(0, ms, 2*ms, "", 0)
			s.Record(0, ms, 2*ms, CodeLocal, 0)
		}, []string{"could not make 1 request, mostly for want of a file or a port"}},
		"many files open": {func(g *GeneratorHealth, s *Series) {
			s.Record(0, ms, 2*ms, "", 0)
			g.files = 1 << 40
		}, []string{"files open of the"}},
		"few files open": {func(g *GeneratorHealth, s *Series) {
			s.Record(0, ms, 2*ms, "", 0)
			g.files = 1
		}, nil},
		"stopped for its garbage": {func(g *GeneratorHealth, s *Series) {
			s.Record(0, ms, 2*ms, "", 0)
			g.longest = int64(2 * time.Hour)
		}, []string{"stopped for its garbage collection for up to 2h0m0s, the bound is 1h0m0s"}},
		"run queue unknown": {func(g *GeneratorHealth, s *Series) {
			s.Record(0, ms, 2*ms, "", 0)
			g.missed = os.ErrNotExist
		}, []string{"run queue delay is not known"}},
	} {
		r := NewRecorder(NewClock(), func(rundir.Window) {})
		g := NewGeneratorHealth(r, Bounds{GCPause: time.Hour})
		c.prepare(g, r.Series(rundir.Key{Workload: "a"}))
		r.Close()
		got := g.Result().Problems
		if len(got) != len(c.want) {
			t.Errorf("%s: problems %q, want %q", name, got, c.want)
			continue
		}
		for i := range got {
			if !strings.Contains(got[i], c.want[i]) {
				t.Errorf("%s: problem %q, want %q", name, got[i], c.want[i])
			}
		}
	}
}

func TestRefusalsAreCounted(t *testing.T) {
	r := NewRecorder(NewClock(), func(rundir.Window) {})
	g := NewGeneratorHealth(r, Bounds{})
	s := r.Series(rundir.Key{Workload: "a"})
	s.Record(0, 0, ms, "", 0)
	s.Record(0, 0, 0, CodeRefused, 0)
	r.Close()
	if got := g.Result(); got.Refused != 1 || got.Intended != 2 {
		t.Errorf("%+v", got)
	}
}

// Threads that want a processor and do not get one show in the run queue.
func TestRunQueueDelayIsSeen(t *testing.T) {
	before, err := procfs.ReadThreads(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	defer wg.Wait()
	var stop atomic.Bool
	defer stop.Store(true)
	for range 4 * runtime.NumCPU() {
		wg.Go(func() {
			runtime.LockOSThread() // a thread each, and more of them than processors
			for !stop.Load() {
			}
		})
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4 * runtime.NumCPU()))
	for ctx.Err() == nil {
		now, err := procfs.ReadThreads(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if wait, _ := waited(before, now); wait > 10*time.Millisecond {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("four threads a processor never waited for one")
}

func TestWaitedCountsEachThreadByItself(t *testing.T) {
	q := func(ns int) procfs.RunQueue { return procfs.RunQueue{Waiting: time.Duration(ns), Slices: uint64(ns)} }
	before := map[int]procfs.RunQueue{1: q(100), 2: q(1000)}
	now := map[int]procfs.RunQueue{1: q(150), 3: q(7)} // 2 has ended, 3 is new
	if got, turns := waited(before, now); got != 57 || turns != 57 {
		t.Errorf("waited %d in %d turns, want 57 in 57", got, turns)
	}
}

func TestGCPausesAreFound(t *testing.T) {
	before := gcPauses()
	runtime.GC()
	if got := longest(before, gcPauses()); got <= 0 {
		t.Errorf("a collection stopped the world for %d ns", got)
	}
	if got := longest(before, before); got != 0 {
		t.Errorf("no collection stopped the world for %d ns", got)
	}
	h := func(counts ...uint64) *metrics.Float64Histogram {
		return &metrics.Float64Histogram{Counts: counts, Buckets: []float64{0, 0.001, 0.002, 0.004}}
	}
	if got := longest(h(1, 0, 5), h(2, 1, 5)); got != 2*ms {
		t.Errorf("longest pause %d, want 2 ms", got)
	}
}

func TestProcessSamplerSeesItselfAChildAndTheMachine(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := map[string]rundir.Process{}
	s := NewProcessSampler(NewClock(), func(p rundir.Process) {
		seen[p.Component] = p
		if len(seen) == 3 {
			cancel()
		}
	}, time.Millisecond, func() map[string]int {
		return map[string]int{"sleep": child.Process.Pid, "down": 0, "gone": 1 << 30}
	})
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	storm, sleep := seen[rundir.StormComponent], seen["sleep"]
	if storm.PID != os.Getpid() || storm.RSS < 1<<20 || storm.UserNS+storm.SystemNS < 0 {
		t.Errorf("storm: %+v", storm)
	}
	if sleep.PID != child.Process.Pid || sleep.RSS <= 0 || sleep.RSS >= storm.RSS || sleep.RunQueue != 0 {
		t.Errorf("sleep: %+v", sleep)
	}
	if m := seen[rundir.MachineComponent]; m.UserNS+m.SystemNS < storm.UserNS+storm.SystemNS+sleep.UserNS+sleep.SystemNS || m.RSS != 0 {
		t.Errorf("the machine: %+v", m)
	}
	if len(seen) != 3 {
		t.Errorf("a process that is not there was recorded: %v", seen)
	}
}

func TestThrottlingIsFound(t *testing.T) {
	base := &rest.Config{Host: "https://127.0.0.1:1"}
	limited := rest.CopyConfig(base)
	limited.QPS = 1000
	own := Unthrottled(base)
	own.RateLimiter = flowcontrol.NewTokenBucketRateLimiter(1, 1)
	for name, c := range map[string]*rest.Config{"client-go's default": base, "a high limit": limited, "a limiter of its own": own} {
		if err := CheckUnthrottled(c); err == nil || !strings.Contains(err.Error(), "throttles itself") {
			t.Errorf("%s: %v", name, err)
		}
		// What is refused is throttled indeed, by client-go's own account.
		c.Burst = 1
		if limiterOf(t, c) == nil {
			t.Errorf("%s: client-go gives it no limiter, so there was nothing to refuse", name)
		}
	}
	for name, c := range map[string]*rest.Config{"default": base, "high": limited, "own": own} {
		free := Unthrottled(c)
		if err := CheckUnthrottled(free); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if l := limiterOf(t, free); l != nil {
			t.Errorf("%s: client-go gives it a limiter of %v a second", name, l.QPS())
		}
	}
	if base.QPS != 0 {
		t.Error("Unthrottled changed the configuration that it was given")
	}
}

// limiterOf returns the limiter of a full client as the loads make it.
func limiterOf(t *testing.T, c *rest.Config) flowcontrol.RateLimiter {
	t.Helper()
	set, err := kubernetes.NewForConfig(c)
	if err != nil {
		t.Fatal(err)
	}
	return set.CoreV1().RESTClient().GetRateLimiter()
}
