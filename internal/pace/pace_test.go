package pace

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// manual is a clock that moves only when the pacer waits, or a slot says so.
type manual struct{ now atomic.Int64 }

func (m *manual) Now() int64 { return m.now.Load() }

func (m *manual) wait(ctx context.Context, at int64) bool {
	if ctx.Err() != nil {
		return false
	}
	if m.now.Load() < at {
		m.now.Store(at)
	}
	return true
}

// first ends a schedule after n slots.
type first struct {
	Schedule
	n uint64
}

func (f first) Next(n uint64, prev int64) (int64, bool) {
	if n >= f.n {
		return 0, false
	}
	return f.Schedule.Next(n, prev)
}

const ms = int64(time.Millisecond)

func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		name string
		s    Schedule
		want []int64
	}{
		{"constant", Constant(200), []int64{0, 5 * ms, 10 * ms, 15 * ms}},
		{"constant that does not divide a second", Constant(3), []int64{0, 333333333, 666666666, 1000 * ms}},
		{"cycle", Cycle(10*time.Millisecond, []int64{1 * ms, 4 * ms}), []int64{1 * ms, 4 * ms, 11 * ms, 14 * ms, 21 * ms}},
		{"batch", Batch(Constant(100), 3), []int64{0, 0, 0, 10 * ms, 10 * ms, 10 * ms, 20 * ms}},
		{"batch of one", Batch(Constant(100), 1), []int64{0, 10 * ms}},
		{"no rate", Constant(0), nil},
		{"no poisson rate", Poisson(legs("0/s"), 1), nil},
		{"ramp up", Even(legs("0/s..10/s over 1s")), []int64{0, 447213595, 632455532, 774596669, 894427190, 1000 * ms, 1100 * ms, 1200 * ms}},
		{"ramp down to nothing", Even(legs("4/s..0/s over 1s")), []int64{0, 292893218}},
		{"steps that carry a part of a slot over", Even(legs("1/s for 500ms, 2/s for 1s, 10/s")), []int64{0, 750 * ms, 1250 * ms, 1550 * ms, 1650 * ms}},
		{"steps that end", Even(legs("2/s for 1s, 4/s for 500ms")), []int64{0, 500 * ms, 1000 * ms, 1250 * ms}},
		{"a break", Even(legs("2/s for 1s, 0/s for 3s, 2/s")), []int64{0, 500 * ms, 4000 * ms, 4500 * ms}},
		{"nothing at first", Even(legs("0/s for 3s, 2/s")), []int64{3000 * ms, 3500 * ms}},
		{"a rate too low to come", Even(legs("0.000000000000000000001/s")), []int64{0}},
		{"no phases", Cycle(time.Second, nil), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := times(c.s, max(len(c.want), 1))
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func times(s Schedule, n int) []int64 {
	var out []int64
	prev := int64(0)
	for i := range n {
		next, ok := s.Next(uint64(i), prev)
		if !ok {
			break
		}
		out = append(out, next)
		prev = next
	}
	return out
}

func TestPoissonHasTheRateAndTheSpreadOfIndependentArrivals(t *testing.T) {
	const n, rate = 100_000, 500.0
	steady := legs("500/s")
	at := times(Poisson(steady, 7), n)
	if !slices.IsSorted(at) {
		t.Fatal("arrivals go back in time")
	}
	if !slices.Equal(at[:100], times(Poisson(steady, 7), 100)) {
		t.Error("the same seed gives other arrivals")
	}
	if slices.Equal(at[:100], times(Poisson(steady, 8), 100)) {
		t.Error("another seed gives the same arrivals")
	}
	var sum, squares float64
	prev := int64(0)
	for _, a := range at {
		gap := float64(a-prev) / 1e9
		sum, squares, prev = sum+gap, squares+gap*gap, a
	}
	mean := sum / n
	dev := math.Sqrt(squares/n - mean*mean)
	// Of an exponential distribution the mean and the deviation are both
	// 1/rate; a hundred thousand draws come within 2 % of it.
	if math.Abs(mean*rate-1) > .02 || math.Abs(dev*rate-1) > .02 {
		t.Errorf("mean gap %v and deviation %v, want both near %v", mean, dev, 1/rate)
	}
}

func TestEverySlotRunsOnceAtItsIntendedTime(t *testing.T) {
	clock := &manual{}
	clock.now.Store(1000 * ms)
	var mu sync.Mutex
	got := map[uint64]int64{}
	p := &Pacer{Clock: clock, Schedule: first{Constant(1000), 500}, InFlight: 1000, wait: clock.wait}
	st := p.Run(t.Context(), func(_ context.Context, s Slot) {
		mu.Lock()
		defer mu.Unlock()
		got[s.N] = s.Intended
	}, func(s Slot) { t.Errorf("slot %d refused", s.N) })

	if st.Slots != 500 || st.Refused != 0 || len(got) != 500 {
		t.Fatalf("slots %d, refused %d, run %d", st.Slots, st.Refused, len(got))
	}
	for n, at := range got {
		if want := 1000*ms + int64(n)*ms; at != want {
			t.Fatalf("slot %d intended at %d, want %d", n, at, want)
		}
	}
}

// A stall of the generator must not move the schedule: what gathered runs at
// once, and its lag says so.
func TestLateSlotsRunAtOnceAtTheirOldTimes(t *testing.T) {
	clock := &manual{}
	var mu sync.Mutex
	var intended []int64
	stalled := false
	p := &Pacer{Clock: clock, Schedule: first{Constant(1000), 100}, InFlight: 200}
	p.wait = func(ctx context.Context, at int64) bool {
		if at == 10*ms && !stalled {
			stalled = true
			clock.now.Store(60 * ms)
		}
		return clock.wait(ctx, at)
	}
	st := p.Run(t.Context(), func(_ context.Context, s Slot) {
		mu.Lock()
		defer mu.Unlock()
		intended = append(intended, s.Intended)
	}, func(Slot) {})

	slices.Sort(intended)
	if !slices.Equal(intended, times(Constant(1000), 100)) {
		t.Errorf("the stall moved the schedule: %v", intended)
	}
	if st.LagMax != 50*ms {
		t.Errorf("largest lag %d, want 50 ms", st.LagMax)
	}
}

// then is a schedule that says when it has come to its end.
type then struct {
	first
	end func()
}

func (t then) Next(n uint64, prev int64) (int64, bool) {
	next, ok := t.first.Next(n, prev)
	if !ok {
		t.end()
	}
	return next, ok
}

func TestSlotsAboveTheBoundAreRefusedAtTheirIntendedTimes(t *testing.T) {
	clock := &manual{}
	release := make(chan struct{})
	var refusedAt []int64
	p := &Pacer{
		Clock: clock, InFlight: 4, wait: clock.wait,
		Schedule: then{first{Constant(1000), 8}, func() { close(release) }},
	}
	st := p.Run(t.Context(), func(context.Context, Slot) { <-release },
		func(s Slot) { refusedAt = append(refusedAt, s.Intended) })

	if want := []int64{4 * ms, 5 * ms, 6 * ms, 7 * ms}; !slices.Equal(refusedAt, want) {
		t.Errorf("refused at %v, want %v", refusedAt, want)
	}
	if st.Slots != 8 || st.Refused != 4 {
		t.Errorf("slots %d, refused %d, want 8 and 4", st.Slots, st.Refused)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var n atomic.Int64
	p := &Pacer{Clock: realClock{time.Now()}, Schedule: Constant(2000), InFlight: 3}
	p.Run(ctx, func(ctx context.Context, _ Slot) {
		if n.Add(1) == 20 {
			cancel()
		}
		if n.Load() > 10 {
			<-ctx.Done()
		}
	}, func(Slot) { cancel() })
	if n.Load() < 10 {
		t.Errorf("only %d slots ran", n.Load())
	}
}

func TestARunWithoutSlotsEnds(t *testing.T) {
	p := &Pacer{Clock: &manual{}, Schedule: Constant(0)}
	st := p.Run(t.Context(), func(context.Context, Slot) { t.Error("a slot ran") }, func(Slot) { t.Error("a slot was refused") })
	if st.Slots != 0 || st.LagQuantile(.99) != 0 {
		t.Errorf("%d slots, p99 %d", st.Slots, st.LagQuantile(.99))
	}
}

// No slot may come before its time, whatever the sleep is made of.
func TestSlotsNeverComeEarly(t *testing.T) {
	clock := realClock{time.Now()}
	p := &Pacer{Clock: clock, Schedule: first{Poisson(legs("400/s"), 3), 100}, InFlight: 10, Start: clock.Now() + 5*ms}
	st := p.Run(t.Context(), func(_ context.Context, s Slot) {
		if now := clock.Now(); now < s.Intended {
			t.Errorf("slot %d came %d ns early", s.N, s.Intended-now)
		}
	}, func(Slot) {})
	if st.Slots != 100 {
		t.Errorf("%d slots, want 100", st.Slots)
	}
}

// A program out of open files still paces, if coarsely.
func TestASleeperWithoutATimerfdWaits(t *testing.T) {
	clock := realClock{time.Now()}
	ctx, cancel := context.WithCancel(t.Context())
	s := &Sleeper{ctx: ctx, clock: clock, timer: time.NewTimer(time.Hour)}
	defer s.Stop()
	at := clock.Now() + 3*ms
	if !s.Until(at) || clock.Now() < at {
		t.Error("it did not wait until the instant")
	}
	cancel()
	if s.Until(clock.Now() + int64(time.Hour)) {
		t.Error("it did not end with its context")
	}
}

func TestASleeperEndsWithItsContext(t *testing.T) {
	clock := realClock{time.Now()}
	ctx, cancel := context.WithCancel(t.Context())
	s := NewSleeper(ctx, clock)
	defer s.Stop()
	time.AfterFunc(time.Millisecond, cancel)
	if s.Until(clock.Now() + int64(time.Hour)) {
		t.Error("an hour went by")
	}
}

func TestLagQuantiles(t *testing.T) {
	var st Stats
	for i := range 1000 {
		st.Slots++
		st.lag(int64(i+1) * 1000)
	}
	st.lag(-5)
	for _, q := range []float64{.5, .9, .99, 1} {
		exact := int64(q * 1000 * 1000)
		if got := st.LagQuantile(q); got < exact || got > exact*5/4 {
			t.Errorf("q %v: %d, want %d to a quarter above", q, got, exact)
		}
	}
	for v := uint64(0); v < 1<<40; v = v*9/8 + 1 {
		b := bucket(v)
		if end := bucketEnd(b); uint64(end) < v || bucket(uint64(end)) != b || bucket(uint64(end)+1) != b+1 {
			t.Fatalf("value %d is in bucket %d, which ends at %d", v, b, end)
		}
	}
}

type realClock struct{ origin time.Time }

func (c realClock) Now() int64 { return int64(time.Since(c.origin)) }

func TestPacingAllocatesNothingPerSlot(t *testing.T) {
	clock := &manual{}
	var st Stats
	total := testing.AllocsPerRun(1, func() {
		p := &Pacer{Clock: clock, Schedule: first{Constant(1000), 10_000}, InFlight: 4, wait: clock.wait}
		st = p.Run(t.Context(), func(context.Context, Slot) {}, func(Slot) {})
	})
	// What one Run needs in all, its workers included, is far below a slot each.
	if total > 200 {
		t.Errorf("%v allocations for %d slots", total, st.Slots)
	}
}

// BenchmarkPacer reports how late the slots of 2,000 requests a second begin.
func BenchmarkPacer(b *testing.B) {
	clock := realClock{time.Now()}
	p := &Pacer{Clock: clock, Schedule: first{Constant(2000), uint64(b.N)}, InFlight: 100}
	b.ReportAllocs()
	st := p.Run(b.Context(), func(context.Context, Slot) {}, func(Slot) {})
	b.ReportMetric(float64(st.LagQuantile(.5))/1e3, "p50-lag-µs")
	b.ReportMetric(float64(st.LagQuantile(.99))/1e3, "p99-lag-µs")
	b.ReportMetric(float64(st.LagMax)/1e3, "max-lag-µs")
}

// BenchmarkPacers reports the same of twenty pacers at 100 a second each, as
// loads and probes are in a trial.
func BenchmarkPacers(b *testing.B) {
	clock := realClock{time.Now()}
	const pacers = 20
	b.ReportAllocs()
	var all sync.WaitGroup
	stats := make([]Stats, pacers)
	for i := range stats {
		p := &Pacer{
			Clock: clock, Schedule: first{Constant(100), uint64((b.N + pacers - 1) / pacers)}, InFlight: 100,
			Start: clock.Now() + int64(i)*7*ms/10,
		}
		all.Go(func() { stats[i] = p.Run(b.Context(), func(context.Context, Slot) {}, func(Slot) {}) })
	}
	all.Wait()
	var sum Stats
	for _, st := range stats {
		sum.Slots += st.Slots
		sum.LagMax = max(sum.LagMax, st.LagMax)
		for j, n := range st.lags {
			sum.lags[j] += n
		}
	}
	b.ReportMetric(float64(sum.LagQuantile(.5))/1e3, "p50-lag-µs")
	b.ReportMetric(float64(sum.LagQuantile(.99))/1e3, "p99-lag-µs")
	b.ReportMetric(float64(sum.LagMax)/1e3, "max-lag-µs")
}

// Each of many clients keeps its period; together they come in order.
func TestPeriodicClientsKeepTheirPeriods(t *testing.T) {
	const count, period = 50, time.Second
	s := Periodic(count, period, 0, 1)
	var at []int64
	prev := int64(0)
	for n := range uint64(5 * count) {
		next, ok := s.Next(n, prev)
		if !ok || next < prev {
			t.Fatalf("slot %d at %d after %d, %v", n, next, prev, ok)
		}
		at, prev = append(at, next), next
	}
	for i, ns := range at[count:] {
		if ns-at[i] != int64(period) {
			t.Fatalf("slot %d comes %d ns after the one of a round before", i+count, ns-at[i])
		}
	}
	if at[0] == at[count-1] {
		t.Error("all clients have one phase")
	}
	for _, none := range []Schedule{Periodic(0, period, 0, 1), Periodic(5, 0, 0, 1)} {
		if _, ok := none.Next(0, 0); ok {
			t.Error("a slot of nobody, or of no period")
		}
	}
}

// With jitter the waits stretch, by no more than its share.
func TestPeriodicJitter(t *testing.T) {
	s := Periodic(1, time.Second, .5, 7)
	prev, _ := s.Next(0, 0)
	seen := map[int64]bool{}
	sum := int64(0)
	for n := range uint64(1000) {
		next, ok := s.Next(n+1, prev)
		wait := next - prev
		if !ok || wait < int64(time.Second) || wait > int64(1500*time.Millisecond) {
			t.Fatalf("a wait of %d ns, %v", wait, ok)
		}
		seen[wait], sum, prev = true, sum+wait, next
	}
	// The mean is 1.25 s; of 1,000 even draws it is off by less than six
	// standard errors of 4.6 ms.
	if mean := sum / 1000; len(seen) < 900 || mean < 1222e6 || mean > 1278e6 {
		t.Errorf("%d different waits, %d ns on average", len(seen), mean)
	}
}
