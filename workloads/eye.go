package workloads

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/agenda"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/fleet"
	"github.com/storm-harness/storm/workloads/lean"
	"github.com/storm-harness/storm/workloads/reflector"
)

// eye is a load's own watch of what becomes of what it asks for. What the load
// has to do at a time it may put on the eye's agenda.
type eye struct {
	agenda    *agenda.Agenda
	reflector reflector.Reflector
	synced    chan struct{} // closed when everything that was there has been seen
	once      sync.Once
	sink      settler
	end       context.CancelFunc
	alive     sync.WaitGroup
}

// settler is a sink that is told when its watch is over, and counts what it saw
// begin and did not see end.
type settler interface {
	reflector.Sink
	settle(now int64)
}

// atOnce bounds what an eye's agenda does at once.
const atOnce = 1000

// observe opens a watch of a collection, and returns once it has seen what was
// there before. An empty namespace is all of them, query has the selectors, encoded. It goes on until closed.
func (e *Env) observe(ctx context.Context, c *client.Client, r resource, namespace, query string, sink settler) (*eye, error) {
	of := func(verb string) *measure.Series {
		return e.Recorder.Series(rundir.Key{Workload: e.Name, Verb: verb, Resource: r.String(), Scope: scopeIn(namespace, ""), Detail: "observer"})
	}
	y := &eye{agenda: agenda.New(e.Clock, atOnce), synced: make(chan struct{}), sink: sink}
	y.reflector = reflector.Reflector{
		Shared: &reflector.Shared{
			Clock: e.Clock, Agenda: y.agenda, Seed: e.Seed, Streaming: true, Objects: true, List: of("list"), Watch: of("watch"),
		},
		Client: c, Path: r.path(namespace), Query: query, Sink: y,
	}
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	y.end = end
	y.alive.Go(func() { y.agenda.Run(background) })
	y.reflector.Start(e.Clock.Now())
	select {
	case <-y.synced:
		return y, nil
	case <-ctx.Done():
		y.close()
		return nil, ctx.Err()
	case <-time.After(patience):
		y.close()
		return nil, fmt.Errorf("workload %s: its watch of %s showed nothing for %s: see the API server's log", e.Name, r, patience)
	}
}

// Event implements reflector.Sink.
func (y *eye) Event(at int64, ev lean.Event) error { return y.sink.Event(at, ev) }

// Synced implements reflector.Sink.
func (y *eye) Synced(at int64) {
	y.sink.Synced(at)
	y.once.Do(func() { close(y.synced) })
}

// close ends the watch and what is on the agenda, and waits for what has begun.
// It may be called twice.
func (y *eye) close() {
	y.reflector.Shared.End()
	open := y.reflector.Open()
	y.reflector.Stop()
	y.end()
	y.alive.Wait()
	if open { // what a broken watch has not shown may be over
		y.sink.settle(y.reflector.Shared.Clock.Now())
	}
}

// spans measures by a watch how long objects take from one state to another.
// Both ends are arrivals of events at the same watch, since the times within
// objects have whole seconds only. What was in the first state before the
// watch, or came to it while the watch was broken, has no known beginning and
// does not count; what came to the second state while it was broken counts from
// when that was seen.
type spans struct {
	series *measure.Series
	read   func(lean.Event) (sight, error)
	known  map[string]*span // by UID
}

// sight is what an event shows of an object.
type sight struct {
	uid   string
	begun bool   // it is in the first state, or beyond it
	ended bool   // it is in the second
	code  string // where the second state is not the one that was wanted: what it is
}

// span is one object's.
type span struct {
	begun  int64 // below 0: not known
	over   bool
	listed bool // in the list that is coming in
}

// newSpans makes one whose series is that of a verb, such as complete, on a
// resource; detail names the two states.
func newSpans(env *Env, verb string, r resource, detail string, read func(lean.Event) (sight, error)) *spans {
	return &spans{
		series: env.Recorder.Series(rundir.Key{Workload: env.Name, Verb: verb, Resource: r.String(), Scope: "resource", Via: fleet.ViaWatch, Detail: detail}),
		read:   read, known: map[string]*span{},
	}
}

// Event implements reflector.Sink.
func (s *spans) Event(at int64, ev lean.Event) error {
	seen, err := s.read(ev)
	if err != nil {
		return err
	}
	s.see(at, ev.Type, seen)
	return nil
}

// see takes what an event of that type shows.
func (s *spans) see(at int64, kind string, seen sight) {
	o := s.known[seen.uid]
	if o == nil && seen.begun && kind != "DELETED" {
		o = &span{begun: at}
		if kind == "LISTED" || seen.ended {
			o.begun = -1
		}
		s.known[seen.uid] = o
	}
	if o == nil {
		return
	}
	o.listed = o.listed || kind == "LISTED"
	if seen.ended && !o.over && o.begun >= 0 {
		s.series.Record(o.begun, o.begun, at, seen.code, 0)
	}
	o.over = o.over || seen.ended
	if kind == "DELETED" {
		s.unended(o, at)
		delete(s.known, seen.uid)
	}
}

// settle implements settler.
func (s *spans) settle(now int64) {
	for _, o := range s.known {
		s.unended(o, now)
	}
	clear(s.known)
}

// unended counts an object that will not be seen to come to the second state, if
// it has been on its way for long: to leave it out would leave out the slowest.
func (s *spans) unended(o *span, now int64) {
	if !o.over && o.begun >= 0 {
		s.series.Unended(o.begun, now, measure.CodeUnended)
	}
}

// Synced implements reflector.Sink: what the list did not hold is gone, at a
// time that nobody saw.
func (s *spans) Synced(int64) {
	for uid, o := range s.known {
		if !o.listed {
			delete(s.known, uid)
		}
		o.listed = false
	}
}
