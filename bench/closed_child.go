package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// who is how a generator reaches the server: with a token, because not every
// peer takes a client certificate.
type who struct {
	Host  string
	CA    string // file
	Token string
}

func (w who) client(clock *measure.Clock) (*client.Client, error) {
	return client.New(&rest.Config{
		Host: w.Host, BearerToken: w.Token, UserAgent: "storm/bench", TLSClientConfig: rest.TLSClientConfig{CAFile: w.CA},
	}, clock, 0)
}

// closedSetup is what the generator "closed" is told: to ask the same again as
// soon as it is answered, by so many at a time, for a time or so often.
type closedSetup struct {
	Who      who
	Path     string
	Query    string
	InFlight int
	Seconds  float64
	Times    int    // at most so often in all; 0: no bound
	Profile  string // file of a processor profile, if any
}

// stageDone is the stage with the result.
const stageDone = "done"

func (s closedSetup) play(ctx context.Context, out *talker) error {
	clock := measure.NewClock()
	c, err := s.Who.client(clock)
	if err != nil {
		return err
	}
	defer c.Close()
	profile := profile{path: s.Profile}
	if err := profile.start(); err != nil {
		return err
	}
	w := &closedLoop{closedSetup: s, ctx: ctx, client: c, clock: clock, end: clock.Now() + int64(s.Seconds*float64(time.Second))}
	begun := clock.Now()
	w.left.Add(s.InFlight)
	for range s.InFlight {
		w.again(0)
	}
	w.left.Wait()
	w.total.Seconds = time.Duration(clock.Now() - begun).Seconds()
	out.tell(message{Stage: stageDone, Result: &w.total})
	return errors.Join(profile.stop(), ctx.Err())
}

// closedLoop asks again as soon as it is answered, from where the answer comes in.
type closedLoop struct {
	closedSetup
	ctx    context.Context
	client *client.Client
	clock  *measure.Clock
	end    int64
	left   sync.WaitGroup

	mu    sync.Mutex
	total result
}

// again makes the next request of one of those in flight, which has made n so far.
func (w *closedLoop) again(n int) {
	if w.ctx.Err() != nil || w.Times > 0 && n >= w.Times/w.InFlight || w.Times == 0 && w.clock.Now() >= w.end {
		w.left.Done()
		return
	}
	w.client.Send(w.ctx, &client.Request{Method: "GET", Path: w.Path, Query: w.Query, Plain: true}, nil, 0, nil, func(a client.Answer) {
		w.mu.Lock()
		w.total.count(a)
		w.mu.Unlock()
		w.again(n + 1)
	})
}

func (r *result) count(a client.Answer) {
	r.Bytes += a.Bytes
	if a.OK() {
		r.OK++
		return
	}
	r.fail(a.Code, 1)
}

func (r *result) fail(code string, n uint64) {
	if r.Errors == nil {
		r.Errors = map[string]uint64{}
	}
	r.Errors[code] += n
}

// openSetup is what the generator "open" is told: to ask at a rate, whatever
// becomes of it, as every load of storm's does.
type openSetup struct {
	Who     who
	Path    string
	Rate    float64
	Seconds float64
}

// openInFlight bounds what the generator "open" has in flight.
const openInFlight = 5000

func (s openSetup) play(ctx context.Context, out *talker) error {
	goFirst()
	clock := measure.NewClock()
	c, err := s.Who.client(clock)
	if err != nil {
		return err
	}
	defer c.Close()
	rec := measure.NewRecorder(clock, func(rundir.Window) {})
	defer rec.Close()
	series := rec.Series(rundir.Key{Workload: "bench", Verb: "get", Resource: "configmaps", Scope: "resource"})
	within, cancel := context.WithTimeout(ctx, time.Duration(s.Seconds*float64(time.Second)))
	defer cancel()
	l := pace.Launcher{Pacer: pace.Pacer{Clock: clock, Schedule: pace.Poisson(unit.Steady(unit.Rate(s.Rate)).Legs(), 1), InFlight: openInFlight}}
	req := &client.Request{Method: "GET", Path: s.Path, Plain: true}
	var cork client.Cork
	l.Run(within, func(slot pace.Slot) {
		c.Send(within, req, nil, 0, &cork, func(a client.Answer) {
			a.Record(series, slot.Intended)
			l.Done()
		})
	}, func(slot pace.Slot) {
		series.Record(slot.Intended, slot.Intended, slot.Intended, measure.CodeRefused, 0)
	}, cork.Flush)
	t := rec.Totals()
	out.tell(message{Stage: stageDone, Totals: &t})
	if err := ctx.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
