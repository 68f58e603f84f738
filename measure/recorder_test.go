package measure

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/storm-harness/storm/internal/rundir"
)

// windows collects what a recorder hands out.
type windows struct {
	mu  sync.Mutex
	all []rundir.Window
}

func (w *windows) take(one rundir.Window) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, one)
}

// sum merges all windows of one key.
func (w *windows) sum(t *testing.T, key rundir.Key) rundir.Window {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	var out rundir.Window
	for _, one := range w.all {
		if one.Key != key {
			continue
		}
		if out.Key == (rundir.Key{}) {
			out = one
		} else if err := out.Merge(one); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestNothingIsLostBetweenWindows(t *testing.T) {
	var got windows
	r := NewRecorder(NewClock(), got.take)
	a, b := rundir.Key{Workload: "a"}, rundir.Key{Workload: "b"}
	const each = 20_000
	var load, cuts sync.WaitGroup
	stop := make(chan struct{})
	cuts.Go(func() {
		for on := true; ; on = !on {
			select {
			case <-stop:
				return
			default:
				r.Fine(on)
				r.Cut()
			}
		}
	})
	for range 4 {
		load.Go(func() {
			sa, sb := r.Series(a), r.Series(b)
			for i := range int64(each) {
				sa.Record(0, 1000, 1000*(i+1), "", 3)
				sb.Record(0, 1000, 5000, "429", 0)
			}
		})
	}
	load.Wait()
	close(stop)
	cuts.Wait()
	r.Close()

	w := got.sum(t, a)
	if w.OK != 4*each || w.Bytes != 4*3*each || w.Errors != nil {
		t.Errorf("a: %d ok, %d bytes, errors %v", w.OK, w.Bytes, w.Errors)
	}
	h, err := rundir.DecodeHist(w.Hist)
	if err != nil {
		t.Fatal(err)
	}
	if h.TotalCount() != 4*each {
		t.Errorf("a: %d latencies, want %d", h.TotalCount(), 4*each)
	}
	if p50 := h.ValueAtQuantile(50); p50 < each/2*999/1000 || p50 > each/2*1001/1000 {
		t.Errorf("a: median %d µs, want %d within 0.1 %%", p50, each/2)
	}
	if w := got.sum(t, b); w.OK != 0 || w.Hist != "" || w.Errors["429"] != 4*each {
		t.Errorf("b: %+v", w)
	}
	if tot := r.Totals(); tot.Operations != 8*each || tot.Sent != 8*each {
		t.Errorf("totals: %+v", tot)
	}
}

func TestWindowsOfOneSeriesTouchAndDoNotOverlap(t *testing.T) {
	var got windows
	r := NewRecorder(NewClock(), got.take)
	s := r.Series(rundir.Key{Workload: "a"})
	for range 5 {
		s.Record(0, 0, 1, "", 0)
		r.Cut()
	}
	r.Close()
	if len(got.all) != 5 {
		t.Fatalf("%d windows, want 5", len(got.all))
	}
	for i, w := range got.all {
		if w.To <= w.From || i > 0 && w.From != got.all[i-1].To {
			t.Errorf("window %d: %d…%d after …%d", i, w.From, w.To, got.all[max(i-1, 0)].To)
		}
	}
}

func TestFineWindowsComeBySecond(t *testing.T) {
	ch := make(chan rundir.Window, 100)
	clock := NewClock()
	r := NewRecorder(clock, func(w rundir.Window) { ch <- w })
	defer r.Close()
	r.Fine(true)
	s := r.Series(rundir.Key{Workload: "a"})
	s.Record(0, 0, 1, "", 0)
	w := <-ch // handed out by the flusher: nobody cuts
	if w.OK != 1 || w.From > w.To {
		t.Errorf("%+v", w)
	}
	if second := int64(FineWindow); w.To < second {
		t.Errorf("a window ended at %v, before the first whole second", time.Duration(w.To))
	}
}

func TestSendLagLeavesFaultsAndRefusalsOut(t *testing.T) {
	r := NewRecorder(NewClock(), func(rundir.Window) {})
	s := r.Series(rundir.Key{Workload: "a"})
	ms := int64(time.Millisecond)
	s.Record(0, 2*ms, 3*ms, "", 0)
	s.Record(0, 900*ms, 900*ms, CodeRefused, 0)
	r.Faulted(true)
	s.Record(0, 700*ms, 800*ms, "", 0)
	r.Faulted(false)
	s.Record(0, 4*ms, 5*ms, "timeout", 0)
	r.Close()
	got := r.Totals()
	// Of two the largest but one, which the histogram knows to two digits.
	want := Totals{Operations: 4, Paced: 4, Refused: 1, Sent: 2, LagP99: 2007 * ms / 1000, LagMax: 4 * ms, Latest: "a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What a watch shows, and what is closed-loop, was intended for no time: however
// much there is of it, late requests show beside it.
func TestSendLagIsOfPacedRequestsAlone(t *testing.T) {
	var got windows
	r := NewRecorder(NewClock(), got.take)
	ms := int64(time.Millisecond)
	requests, shown := rundir.Key{Workload: "a", Verb: "patch"}, rundir.Key{Workload: "a", Verb: "deliver", Via: rundir.ViaWatch}
	for range 1000 {
		r.Series(shown).Record(0, 0, ms, "", 0)
		r.Series(requests).Observe(0, ms, "", 0)
	}
	r.Series(shown).Unended(0, int64(time.Hour), CodeUnended)
	for range 10 {
		r.Series(requests).Record(0, 200*ms, 201*ms, "", 0)
	}
	r.Close()
	tot := r.Totals()
	if tot.LagP99 < 190*ms || tot.Sent != 10 || tot.Paced != 10 || tot.Operations != 1010 {
		t.Errorf("totals: %+v", tot)
	}
	if w := got.sum(t, shown); w.OK != 1000 || w.LagMax != 0 || w.Errors[CodeUnended] != 1 {
		t.Errorf("of the watch: %+v", w)
	}
}

func TestALatencyBeyondTheRangeCountsAsTheLongest(t *testing.T) {
	var got windows
	r := NewRecorder(NewClock(), got.take)
	key := rundir.Key{Workload: "a"}
	r.Series(key).Record(0, 0, int64(time.Hour), "", 0)
	r.Series(key).Record(10, 10, 5, "", 0) // done before it was intended: a caller's mistake, not a crash
	r.Close()
	h, err := rundir.DecodeHist(got.sum(t, key).Hist)
	if err != nil {
		t.Fatal(err)
	}
	if h.TotalCount() != 2 || !h.ValuesAreEquivalent(h.Max(), rundir.HistHighest) || h.Min() != 1 {
		t.Errorf("%d values, %d…%d", h.TotalCount(), h.Min(), h.Max())
	}
}

func TestRecordTakesNoMemory(t *testing.T) {
	r := NewRecorder(NewClock(), func(rundir.Window) {})
	defer r.Close()
	s := r.Series(rundir.Key{Workload: "a"})
	for range 1000 { // until every lane has its histograms
		s.Record(0, 1, 2, "", 0)
	}
	if n := testing.AllocsPerRun(1000, func() { s.Record(0, 1, 2, "", 5) }); n >= 0.1 {
		t.Errorf("%.2f allocations a record", n) // a cut in between may cost a lane its histogram
	}
}

func TestMarksReachAllInOneOrder(t *testing.T) {
	var file, seen []rundir.Event
	clock := NewClock()
	m := NewMarks(clock, func(e rundir.Event) { file = append(file, e) })
	cancel := m.Subscribe(func(e rundir.Event) { seen = append(seen, e) })
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				m.Mark(rundir.Event{Kind: rundir.EventNote})
			}
		})
	}
	wg.Wait()
	cancel()
	m.Mark(rundir.Event{Kind: rundir.EventWarning, At: 7})
	if len(file) != 802 || file[0].Kind != rundir.EventOrigin || !file[0].Wall.Equal(clock.Origin()) || file[0].At != 0 {
		t.Errorf("%d events, the first %+v", len(file), file[0])
	}
	if diff := cmp.Diff(file[1:801], seen); diff != "" {
		t.Error(diff)
	}
	if file[1].At <= 0 || file[801].At != 7 {
		t.Errorf("times: %d, %d", file[1].At, file[801].At)
	}
}

// Bytes count without a request, as those of a watch, and what bodies held
// decoded counts beside what came.
func TestBytesWithoutRequestsAreCounted(t *testing.T) {
	var got windows
	r := NewRecorder(NewClock(), got.take)
	s := r.Series(rundir.Key{Workload: "a"})
	s.AddBytes(700)
	r.Cut()
	s.Record(0, 0, 1, "", 100)
	s.AddInflated(900)
	s.AddBytes(7)
	r.Cut()
	s.Record(0, 0, 1, "", 1)
	r.Close()
	var sums [][3]int64
	for _, w := range got.all {
		sums = append(sums, [3]int64{int64(w.OK), int64(w.Bytes), w.Inflated})
	}
	if want := [][3]int64{{0, 700, 0}, {1, 107, 900}, {1, 1, 0}}; !slices.Equal(sums, want) {
		t.Errorf("windows of %v, want %v", sums, want)
	}
}

// What was sent again is counted beside the requests, and in a window of its own where
// nothing else was.
func TestWhatWasSentAgainIsNoFailure(t *testing.T) {
	var got windows
	r := NewRecorder(NewClock(), got.take)
	s := r.Series(rundir.Key{Workload: "a"})
	s.Record(0, 0, 1, "", 100)
	s.AddAgain("goaway", 2)
	s.AddAgain("goaway", 1)
	r.Cut()
	s.AddAgain("reset", 1)
	r.Cut()
	s.Record(0, 0, 1, "", 1)
	r.Close()
	var of []map[string]uint64
	for _, w := range got.all {
		if len(w.Errors) > 0 {
			t.Errorf("failures: %v", w.Errors)
		}
		of = append(of, w.Again)
	}
	if want := []map[string]uint64{{"goaway": 3}, {"reset": 1}, nil}; !slices.EqualFunc(of, want, maps.Equal) {
		t.Errorf("windows of %v, want %v", of, want)
	}
	if n := r.Totals().Operations; n != 2 {
		t.Errorf("%d operations, want 2", n)
	}
}

// TestHowLongAFailureWasWaitedFor has it kept of what took long, and of nothing that
// was never sent or that the end of its load cut off.
func TestHowLongAFailureWasWaitedFor(t *testing.T) {
	var got windows
	r := NewRecorder(NewClock(), got.take)
	defer r.Close()
	s := r.Series(rundir.Key{Workload: "a"})
	second := int64(time.Second)
	s.Record(0, 0, 10*second, "timeout", 0)
	s.Record(0, 0, 2*second, "500", 0)
	s.Record(0, 0, second/2, "409", 0)
	s.Record(0, 9*second, 9*second, CodeRefused, 0)
	s.Record(0, 0, 9*second, CodeUnended, 0)
	s.Record(0, 0, 9*second, "", 0)
	r.Cut()
	s.Record(0, 0, second/2, "409", 0)
	r.Cut()
	if len(got.all) != 2 {
		t.Fatalf("%d windows", len(got.all))
	}
	h, err := rundir.DecodeHist(got.all[0].Waits)
	if err != nil || h.TotalCount() != 2 || h.Max() < 9_990_000 || h.Min() < 1_990_000 {
		t.Errorf("waits of %v, %v", h, err)
	}
	if text := got.all[1].Waits; text != "" {
		t.Errorf("the second window has waits: %s", text)
	}
}

// TestASmallLoadThatIsLateIsNotLostInALargeOne has each load judged by itself.
func TestASmallLoadThatIsLateIsNotLostInALargeOne(t *testing.T) {
	ms := int64(time.Millisecond)
	for name, c := range map[string]struct {
		late, of int
		latest   string
		lag      int64 // ms, at least
		small    string
	}{
		"all of a small load":    {30, 30, "lists", 400, "lists"},
		"two of thirty":          {2, 30, "lists", 400, "lists"},
		"one of thirty":          {1, 30, "churn", 2, "lists"},
		"one per cent of a load": {3, 300, "churn", 2, "lists"},
		"more than that":         {4, 300, "lists", 400, "lists"},
		"few of storm's own":     {4, 300, "churn", 2, rundir.WorkloadProbe},
		"many of storm's own":    {20, 1000, rundir.WorkloadWitness, 400, rundir.WorkloadWitness},
		"not so many of them":    {5, 1000, "churn", 2, rundir.WorkloadWitness},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewRecorder(NewClock(), func(rundir.Window) {})
			defer r.Close()
			large, small := r.Series(rundir.Key{Workload: "churn"}), r.Series(rundir.Key{Workload: c.small})
			for range 10_000 {
				large.Record(0, 2*ms, 3*ms, "", 0)
			}
			for i := range c.of {
				sent := ms
				if i < c.late {
					sent = 400 * ms
				}
				small.Record(0, sent, sent+ms, "", 0)
			}
			got := r.Totals()
			if got.Latest != c.latest || got.LagP99 < c.lag*ms || got.LagP99 > 2*c.lag*ms {
				t.Errorf("%s was %v late", got.Latest, time.Duration(got.LagP99))
			}
			if got.Sent != uint64(10_000+c.of) {
				t.Errorf("%d sent", got.Sent)
			}
		})
	}
}
