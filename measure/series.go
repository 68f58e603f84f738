package measure

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/storm-harness/storm/internal/rundir"
)

// Series is one series of requests, or of what a watch showed.
type Series struct {
	key   rundir.Key
	shown bool   // by a watch: nobody sent it
	lanes []lane // a power of two of them
}

// lane is a share of a series. The goroutines that record spread over the
// lanes by chance, so that they seldom meet at a lock.
type lane struct {
	mu sync.Mutex
	laneData
	longest int64    // ns, of all successes
	_       [64]byte // the next lane's lock lies on another cache line
}

// laneData is what a lane collects between two cuts. The histograms, which
// are large, are made at first use.
type laneData struct {
	ok, bytes uint64
	inflated  int64  // what bodies held beyond their bytes on the wire
	sent      uint64 // values in lag
	lagMax    int64  // ns
	errs      map[string]uint64
	again     map[string]uint64       // attempts that were made again
	hist, lag *hdrhistogram.Histogram // µs
	waits     *hdrhistogram.Histogram // µs, of the failures that were waited for; at first use
}

func newSeries(key rundir.Key, lanes int) *Series {
	return &Series{key: key, shown: key.Via == rundir.ViaWatch, lanes: make([]lane, lanes)}
}

// Key returns the series' key.
func (s *Series) Key() rundir.Key { return s.key }

// Record counts one request: its times in ns since the clock's origin, its
// code, empty for a success, and the bytes that it moved. Latency counts from
// the intended time. Any goroutine may call it; for a success it takes no
// memory. What a watch showed was not sent, and has no send lag: there may be
// so much of it that beside it no request that was late would show.
func (s *Series) Record(intended, sent, done int64, code string, bytes int64) {
	l := s.lane()
	l.mu.Lock()
	l.count(intended, done, code, bytes)
	if code != CodeRefused && !s.shown {
		l.late(sent - intended)
	}
	l.mu.Unlock()
}

// Observe counts what nobody had intended for a time: a closed-loop request,
// from its sending on, or what broke by itself. As Record, but that it says
// nothing of how late storm sends.
func (s *Series) Observe(begun, done int64, code string, bytes int64) {
	l := s.lane()
	l.mu.Lock()
	l.count(begun, done, code, bytes)
	l.mu.Unlock()
}

func (s *Series) lane() *lane { return &s.lanes[rand.Uint32()&uint32(len(s.lanes)-1)] }

// count counts what began and was done at these times; the lock is held.
func (l *lane) count(intended, done int64, code string, bytes int64) {
	if l.hist == nil {
		l.hist, l.lag = rundir.NewHist(), newLagHist()
	}
	if code == "" {
		l.ok++
		l.longest = max(l.longest, done-intended)
		// Within range, so neither can fail.
		_ = l.hist.RecordValue(micros(done - intended))
	} else {
		l.fail(code)
		if code != CodeRefused && code != CodeUnended && done-intended >= leastKept {
			l.wait(done - intended)
		}
	}
	if bytes > 0 {
		l.bytes += uint64(bytes)
	}
}

// late takes how long after its intended time something was sent, in ns; the lock
// is held.
func (l *lane) late(lag int64) {
	l.sent++
	l.lagMax = max(l.lagMax, lag)
	_ = l.lag.RecordValue(micros(lag)) // within range
}

// CodeUnended is the code of what a watch saw begin and did not see end before
// the load did, for ten seconds or more; and of requests that the load's end cut
// off when they had waited for more than a quarter of their deadline.
const CodeUnended = "unended"

// slow is how long something must have been under way when a load ends, for it to
// say anything that it has not ended: what began a moment ago might be quick.
const slow = 10 * time.Second

// Unended counts what began at that time, in ns since the clock's origin, and has
// not ended now that its load does, if it has been under way for long, and for
// longer than anything that ended: so that it surely ranks behind all of that.
func (s *Series) Unended(begun, now int64, code string) {
	longest := int64(slow)
	for i := range s.lanes {
		l := &s.lanes[i]
		l.mu.Lock()
		longest = max(longest, l.longest)
		l.mu.Unlock()
	}
	if now-begun >= longest {
		s.Observe(begun, now, code, 0)
	}
}

// AddBytes counts bytes that came over the wire without being a request's
// answer: those of an open watch.
func (s *Series) AddBytes(n int64) { s.add(n, 0) }

// AddInflated counts what compressed bodies held beyond their bytes on the wire,
// once they were decoded.
func (s *Series) AddInflated(more int64) { s.add(0, more) }

// AddAgain counts an attempt that the server turned away without looking at it, and
// that was made again; what becomes of the request is recorded by itself.
func (s *Series) AddAgain(code string, n uint64) {
	l := s.lane()
	l.mu.Lock()
	if l.again == nil {
		l.again = map[string]uint64{}
	}
	l.again[code] += n
	l.mu.Unlock()
}

func (s *Series) add(bytes, inflated int64) {
	l := s.lane()
	l.mu.Lock()
	l.bytes += uint64(max(bytes, 0))
	l.inflated += inflated
	l.mu.Unlock()
}

// micros rounds up to whole microseconds within the histograms' range: a
// latency is never shown as shorter than it was, nor as zero.
func micros(ns int64) int64 {
	us := (ns + int64(time.Microsecond) - 1) / int64(time.Microsecond)
	return min(max(us, rundir.HistLowest), rundir.HistHighest)
}

func (d *laneData) fail(code string) {
	if d.errs == nil {
		d.errs = map[string]uint64{}
	}
	d.errs[code]++
}

// leastKept is how long a failure must have been waited for to be kept in waits, ns:
// what fails at once hangs over nothing.
const leastKept = int64(time.Second)

// wait keeps how long a failure was waited for: where it had hung over the end of a
// phase, it is that phase's too.
func (d *laneData) wait(ns int64) {
	if d.waits == nil {
		d.waits = rundir.NewHist()
	}
	_ = d.waits.RecordValue(micros(ns)) // within range
}

// drain moves what the lane collected into the empty spare, whose histograms
// it takes in exchange. A lane that collected nothing gives its histograms up.
func (l *lane) drain(spare *laneData) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ok == 0 && len(l.errs) == 0 && len(l.again) == 0 && l.bytes == 0 && l.inflated == 0 {
		l.hist, l.lag, l.waits = nil, nil, nil
		return
	}
	l.laneData, *spare = *spare, l.laneData
}

// empty clears the counts; the histograms are reset by whoever read them.
func (d *laneData) empty() {
	d.ok, d.bytes, d.inflated, d.sent, d.lagMax = 0, 0, 0, 0, 0
	clear(d.errs)
	clear(d.again)
}
