package measure

import (
	"maps"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/storm-harness/storm/internal/rundir"
)

// How long the recorder's windows are: near faults, and elsewhere.
const (
	FineWindow   = time.Second
	CoarseWindow = 10 * time.Second
)

// CodeRefused is the code of an operation that found the in-flight bound
// reached and was never sent.
const CodeRefused = "refused"

// CodeLocal is the code of an operation for which storm itself had no file or port
// left, or that it could not make: not the server's fault.
const CodeLocal = "local"

// The geometry of the send lag's histogram: microseconds, two digits.
const lagDigits = 2

// Recorder collects what became of requests and hands it out as windows: of
// one second near faults (Fine), of ten elsewhere, each ending on a whole
// second since the clock's origin or where Cut was called. A request belongs
// to the window in which it was recorded, that is, in which it was done.
type Recorder struct {
	clock *Clock
	sink  func(rundir.Window)
	lanes int

	stop chan struct{}
	done chan struct{}
	once sync.Once

	all sync.Map // rundir.Key → *Series

	mu      sync.Mutex
	order   []*Series
	fine    bool
	faulted bool
	from    int64 // where the running windows began
	dense   int64 // until when windows are fine, a phase having ended
	sum     *hdrhistogram.Histogram
	waits   *hdrhistogram.Histogram
	spare   laneData
	totals  Totals
	lags    map[string]*hdrhistogram.Histogram // send lag outside fault windows by workload, µs
}

// NewRecorder starts a recorder. sink takes every window as it ends, one call
// at a time, without the recorder being called from it. Close it in the end.
func NewRecorder(clock *Clock, sink func(rundir.Window)) *Recorder {
	r := &Recorder{
		clock: clock, sink: sink, lanes: laneCount(runtime.GOMAXPROCS(0)),
		stop: make(chan struct{}), done: make(chan struct{}),
		from: clock.Now(), sum: rundir.NewHist(), waits: rundir.NewHist(), lags: map[string]*hdrhistogram.Histogram{},
	}
	go r.flush()
	return r
}

// laneCount is a power of two, so that choosing a lane is a mask; more than
// eight would cost memory and buy nothing.
func laneCount(procs int) int {
	return min(1<<bits.Len(uint(max(procs, 1)-1)), 8)
}

func newLagHist() *hdrhistogram.Histogram {
	return hdrhistogram.New(rundir.HistLowest, rundir.HistHighest, lagDigits)
}

// Series returns the series with that key, making it at first use. Keep it:
// the look-up costs more than Record.
func (r *Recorder) Series(key rundir.Key) *Series {
	if s, ok := r.all.Load(key); ok {
		return s.(*Series)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s, loaded := r.all.LoadOrStore(key, newSeries(key, r.lanes))
	if !loaded {
		r.order = append(r.order, s.(*Series))
	}
	return s.(*Series)
}

// Fine makes windows of one second (true) or ten (false), from now on.
func (r *Recorder) Fine(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fine != on {
		r.cut(r.clock.Now())
		r.fine = on
	}
}

// Faulted says that a fault is in force (true) or over: what is sent in
// between does not count in the send lag that Totals gives, since a generator
// cannot be blamed for what a fault does to the machine they share.
func (r *Recorder) Faulted(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.faulted != on {
		r.cut(r.clock.Now())
		r.faulted = on
	}
}

// Cut ends the running windows now, so that none reaches over the border of
// two phases. Those of the next ten seconds are fine: by how exactly it is known when
// a request was done, it is known whether it began in the phase before.
func (r *Recorder) Cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.clock.Now()
	r.cut(now)
	r.dense = now + int64(CoarseWindow)
}

// Close hands out the last windows and stops. What is recorded later is lost.
func (r *Recorder) Close() {
	r.once.Do(func() {
		close(r.stop)
		<-r.done
		r.Cut()
	})
}

// flush ends windows on whole seconds of the clock.
func (r *Recorder) flush() {
	defer close(r.done)
	second := r.clock.Now()/int64(FineWindow) + 1
	timer := time.NewTimer(time.Until(r.clock.At(second * int64(FineWindow))))
	defer timer.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-timer.C:
		}
		r.mu.Lock()
		if now := r.clock.Now(); r.fine || now <= r.dense || second%int64(CoarseWindow/FineWindow) == 0 {
			r.cut(now)
		}
		r.mu.Unlock()
		// A late wake-up must not make empty windows to catch up.
		second = max(second, r.clock.Now()/int64(FineWindow)) + 1
		timer.Reset(time.Until(r.clock.At(second * int64(FineWindow))))
	}
}

// cut hands out a window of every series that did something since the last.
func (r *Recorder) cut(now int64) {
	for _, s := range r.order {
		w := rundir.Window{Key: s.key, From: r.from, To: now}
		for i := range s.lanes {
			s.lanes[i].drain(&r.spare)
			r.collect(&w)
		}
		if w.OK == 0 && len(w.Errors) == 0 && len(w.Again) == 0 && w.Bytes == 0 {
			continue
		}
		// The histogram cannot fail to encode: it is written to memory.
		w.Hist, _ = rundir.EncodeHist(r.sum)
		if w.Waits, _ = rundir.EncodeHist(r.waits); w.Waits != "" {
			r.waits.Reset()
		}
		if w.OK > 0 {
			r.sum.Reset()
		}
		r.sink(w)
	}
	r.from = now
}

// collect adds what was drained from a lane to the window and the totals, and
// leaves r.spare empty.
func (r *Recorder) collect(w *rundir.Window) {
	d := &r.spare
	if d.ok > 0 {
		r.sum.Merge(d.hist)
		d.hist.Reset()
	}
	if d.waits != nil && d.waits.TotalCount() > 0 {
		r.waits.Merge(d.waits)
		d.waits.Reset()
	}
	if d.sent > 0 {
		if !r.faulted {
			r.lagOf(w.Workload).Merge(d.lag)
			r.totals.LagMax = max(r.totals.LagMax, d.lagMax)
		}
		d.lag.Reset()
	}
	w.OK += d.ok
	w.Bytes += d.bytes
	w.Inflated += d.inflated
	w.LagMax = max(w.LagMax, d.lagMax)
	for code, n := range d.again {
		if w.Again == nil {
			w.Again = map[string]uint64{}
		}
		w.Again[code] += n
	}
	for code, n := range d.errs {
		if w.Errors == nil {
			w.Errors = map[string]uint64{}
		}
		w.Errors[code] += n
		if w.Via != rundir.ViaWatch {
			r.totals.Operations += n
		}
	}
	if w.Via != rundir.ViaWatch {
		r.totals.Operations += d.ok
		r.totals.Refused += d.errs[CodeRefused]
		r.totals.Local += d.errs[CodeLocal]
		r.totals.Paced += d.sent + d.errs[CodeRefused]
	}
	d.empty()
}

// Totals is what the generator did so far.
type Totals struct {
	Operations uint64 // requests, whatever became of them; without what a watch showed
	Paced      uint64 // of these, those that had a time to be sent at
	Refused    uint64 // at the in-flight bound
	Local      uint64 // for which storm itself had no file or port left
	Sent       uint64 // of the paced ones, those sent outside fault windows: what the lags are of
	LagP99     int64  // ns from the intended time to the sending, outside fault windows, of the load that was latest
	LagMax     int64
	Latest     string // that load
}

// lagOf is the histogram of a workload's send lag.
func (r *Recorder) lagOf(workload string) *hdrhistogram.Histogram {
	h := r.lags[workload]
	if h == nil {
		h = newLagHist()
		r.lags[workload] = h
	}
	return h
}

// ownEnough is of how many requests of storm's own the p99 of their lag is judged: so
// that ten of them were late. Where nothing is broken there are few, and what one
// moment in which the machine stood still does to them says nothing of the load.
const ownEnough = 1000

// lagP99 is the p99 of a load's send lag, ns; of fewer than a hundred requests the
// largest but one: a single late one says nothing of a load, as at a hundred.
func lagP99(h *hdrhistogram.Histogram) int64 {
	n := float64(h.TotalCount())
	if n == 1 {
		return h.Max() * int64(time.Microsecond)
	}
	return h.ValueAtQuantile(min(99, 100*(n-1)/n)) * int64(time.Microsecond)
}

// Totals returns the totals up to now; it cuts.
func (r *Recorder) Totals() Totals {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut(r.clock.Now())
	t := r.totals
	// Each load by itself: all sends of a small one may be late, and be lost in the
	// p99 of what a large one, the probes and the witness sent in time.
	for _, workload := range slices.Sorted(maps.Keys(r.lags)) {
		h := r.lags[workload]
		t.Sent += uint64(h.TotalCount())
		if h.TotalCount() < ownEnough && rundir.Own(workload) {
			continue
		}
		if lag := min(lagP99(h), t.LagMax); t.Latest == "" || lag > t.LagP99 {
			t.LagP99, t.Latest = lag, workload
		}
	}
	return t
}
