// Package reflector keeps up with one collection of the API as client-go's
// reflectors do: it lists and watches, or streams the list within the watch,
// comes back when the watch ends, backs off when it breaks, and lists anew when
// the server has forgotten its resourceVersion. Unlike client-go's it keeps no
// objects and no goroutine: one that waits is some two hundred bytes, so that a
// process can hold a hundred thousand.
package reflector

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/agenda"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// Sink takes what a reflector learns. Its methods are called one at a time, by
// the goroutine that reads a connection or by one of the agenda's; they must not
// block.
type Sink interface {
	// Event takes one event, seen at that time: LISTED, ADDED, MODIFIED or
	// DELETED, with the object's own bytes, which are valid during the call.
	// An error is a malformed object: the watch is given up, and counted so.
	Event(at int64, ev lean.Event) error
	// Synced says that everything that was there has been seen: what was not,
	// since the reflector began or was told so last, is gone.
	Synced(at int64)
}

// Shared is what many reflectors of one kind share.
type Shared struct {
	Clock  *measure.Clock
	Agenda *agenda.Agenda
	Seed   int64
	// Streaming asks for the list within the watch (KEP-3157), as client-go
	// does from 1.35 on; a server that does not know it is listed.
	Streaming bool
	// Whether anybody wants the objects of a list; where not, a list is counted
	// and dropped as it comes.
	Objects bool
	JSON    bool // whether lists and watches are in JSON instead of Protobuf
	List    *measure.Series
	Watch   *measure.Series // the beginning of a watch, and how watches broke
	Sync    *measure.Series // from the intended beginning until Synced, and the bytes that took; may be nil
	// Rewatch is how long the server is asked to let a watch last; as client-go
	// asks by default.
	Rewatch unit.Durations
	// FirstPause is the first pause of a back-off; client-go's by default.
	FirstPause time.Duration
	Counts     Counts

	over atomic.Bool
}

// End says that the load is over: what breaks from now on is its end, not the
// server's doing, and is neither counted nor begun anew.
func (s *Shared) End() { s.over.Store(true) }

// cut counts what the end of the load cut off, if that had waited long. What the
// end of its reflector cut off does not count: that was for storm to decide.
func (s *Shared) cut(a client.Answer, series *measure.Series, intended int64) {
	if a.Cut && s.over.Load() {
		a.Record(series, intended)
	}
}

// Reflector is one. Make it, Start it.
type Reflector struct {
	Shared *Shared
	Client *client.Client
	As     *client.User // whom to impersonate; nil: nobody
	Path   string       // of the collection
	Query  string       // its selectors, encoded: fieldSelector=…; empty for none
	Sink   Sink         // nil: events are counted and dropped
	ID     uint64       // tells its random numbers from the others'

	mu      sync.Mutex
	session *session // what is open, being opened or waits for its time; nil: stopped
	version uint64   // resourceVersion to watch from; 0: to be listed
	seen    uint64   // the version that it had before it was to list anew; 0: none
	unknown bool     // the server has it no more, or not yet
	begun   int64    // intended time of the list that is not complete yet; below 0: minus when it was
	took    int64    // bytes that came since then
	pause   time.Duration
	draws   uint32
	came    bool  // it is counted in Came
	plain   bool  // the server does not know streaming lists
	told    uint8 // how often in a row the server has said when to come again
}

// The pauses of a reflector: they double from the first to the last, are
// stretched at random to as much as twice their length, and start anew once it
// has gone well for a while.
const (
	defaultPause = 800 * time.Millisecond
	lastPause    = 30 * time.Second
	goneWell     = 2 * time.Minute
)

// DefaultRewatch is how long client-go's reflectors let a watch last.
func DefaultRewatch() unit.Durations { return unit.BetweenDurations(5*time.Minute, 10*time.Minute) }

// watchTimeout returns the seconds that a watch may last, for a random number u
// of [0, 1).
func (s *Shared) watchTimeout(u float64) int {
	lasts := s.Rewatch
	if lasts.Most() == 0 {
		lasts = DefaultRewatch()
	}
	return max(1, int(lasts.At(u).Seconds()))
}

// shortWatch is how long a watch must last to be resumed without a pause.
const shortWatch = time.Second

// listSize bounds what is held of a list.
const listSize = 256 << 20

// Start begins at that time. A reflector that was stopped begins anew: it
// remembers nothing. One that runs is stopped, and what it had seen told as Stop does.
func (r *Reflector) Start(at int64) (since int64, syncing bool) {
	r.mu.Lock()
	w, since, syncing := r.stop()
	r.version, r.pause, r.begun, r.took, r.told = 0, r.Shared.first(), at, 0, 0
	r.seen, r.unknown = 0, false
	r.schedule(at)
	r.mu.Unlock()
	if w != nil {
		w.Close()
	}
	return since, syncing
}

// Stop ends the list or the watch that is under way and everything that was to
// follow. An event that is on its way may still come. Where the reflector had not
// seen everything yet, syncing is true, and since is when it was to begin.
func (r *Reflector) Stop() (since int64, syncing bool) {
	r.mu.Lock()
	w, since, syncing := r.stop()
	r.mu.Unlock()
	if w != nil {
		w.Close()
	}
	return since, syncing
}

// stop is Stop; the lock is held, and the watch, if there is one, left to be closed.
func (r *Reflector) stop() (w *client.Watch, since int64, syncing bool) {
	s := r.session
	r.session = nil
	if s == nil {
		return nil, 0, false
	}
	w = s.close()
	if s.giveUp != nil {
		s.giveUp()
	}
	return w, r.begun, r.begun >= 0
}

// Open says whether the reflector's watch is open now.
func (r *Reflector) Open() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session != nil && !r.session.over && r.session.opened != 0
}

// SyncedAt returns when everything that was there had been seen and the watch
// was open, in ns since the clock's origin; ok is false while that is not so.
func (r *Reflector) SyncedAt() (at int64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.session
	if s == nil || s.over || s.opened == 0 || r.begun >= 0 {
		return 0, false
	}
	return max(-r.begun, s.opened), true
}

// schedule puts the next session on the agenda; the lock is held.
func (r *Reflector) schedule(at int64) {
	s := &session{r: r, split: lean.Splitter{Format: r.Shared.format()}}
	r.session = s
	r.Shared.Agenda.Add(at, s.begin)
}

// next puts the next session on the agenda, after one that lasted so long and
// ended in good order or not; the lock is held.
func (r *Reflector) next(lasted time.Duration, good bool) {
	at := r.Shared.Clock.Now()
	if good && lasted >= shortWatch {
		r.schedule(at)
		return
	}
	if lasted >= goneWell {
		r.pause = r.Shared.first()
	}
	at += int64(float64(r.pause) * (1 + r.draw()))
	r.pause = min(2*r.pause, lastPause)
	r.schedule(at)
}

// draw returns a random number of [0, 1), the same for the same seed, reflector
// and turn; the lock is held.
func (r *Reflector) draw() float64 {
	const golden = 0x9e3779b97f4a7c15 // spreads IDs over all bits
	r.draws++
	return rand.New(rand.NewPCG(uint64(r.Shared.Seed)^(r.ID+1)*golden, uint64(r.draws))).Float64()
}

func (s *Shared) format() lean.Format {
	if s.JSON {
		return lean.JSON
	}
	return lean.Protobuf
}

func (s *Shared) first() time.Duration {
	if s.FirstPause > 0 {
		return s.FirstPause
	}
	return defaultPause
}

// Counts is what reflectors have done so far.
type Counts struct {
	Open    atomic.Int64 // watches open now
	Synced  atomic.Int64 // reflectors whose list is complete, and whose watch has not ended since
	Came    atomic.Int64 // reflectors that were so once
	Events  atomic.Int64
	Bytes   atomic.Int64 // of watches
	Watches atomic.Int64 // begun
}
