package measure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
)

// ProbeOptions say what is probed, and how.
type ProbeOptions struct {
	Clock    *Clock
	Recorder *Recorder
	// Sink takes every failed probe, and near faults every probe, as it is done.
	Sink  func(rundir.Probe)
	RunID string // in the keys and names that the probes write
	Etcd  []EtcdTarget
	// EtcdReadOnly has the members asked for reads alone, which go through their
	// quorum too: for an etcd that is not storm's to write to.
	EtcdReadOnly bool
	API          []APITarget
	// Namespace is an existing namespace for the ConfigMaps of the probes.
	Namespace string

	// The zero values of the rest mean what the comments say.
	Interval     time.Duration // between two probes of one target and operation: 50 ms
	NearInterval time.Duration // the same for etcd near faults: 10 ms
	Deadline     time.Duration // after its intended time a probe has failed: 1 s
	N            int           // successes in a row that count as recovered: Consecutive
}

// ProbeInterval is the time between two probes where nothing else is said.
const ProbeInterval = 50 * time.Millisecond

// Probes ask every etcd member and every apiserver, each on a connection of
// its own, for one small read and one small write at a fixed rate, open loop.
// A write has a key of its own; a read is linearizable at etcd, and consistent
// at the apiserver. What a probe could not do within the deadline has failed.
//
// What the probes wrote stays; it goes with the trial's data.
type Probes struct {
	o       ProbeOptions
	near    atomic.Bool
	struck  atomic.Int64   // when the act that is near set to work; 0: not yet
	series  []*probeSeries // of all, for who asks what they have seen
	members []*probedMember
	servers []*probeSeries // of the apiservers
	api     []*apiConn
}

// NewProbes opens nothing yet: connections are made by the first probes. Call
// Run once.
func NewProbes(o ProbeOptions) (*Probes, error) {
	o.Interval = cmp.Or(o.Interval, ProbeInterval)
	o.NearInterval = cmp.Or(o.NearInterval, 10*time.Millisecond)
	o.Deadline = cmp.Or(o.Deadline, time.Second)
	o.N = cmp.Or(o.N, Consecutive)
	p := &Probes{o: o}
	for _, t := range o.Etcd {
		conn, err := dialEtcd(t, o.Clock)
		if err != nil {
			p.close()
			return nil, fmt.Errorf("probes: %w", err)
		}
		p.addEtcd(conn)
	}
	for _, t := range o.API {
		conn, err := dialAPI(t, o.RunID)
		if err != nil {
			p.close()
			return nil, fmt.Errorf("probes: %w", err)
		}
		p.api = append(p.api, conn)
		p.addAPI(conn)
	}
	return p, nil
}

// addAPI adds the two series of an apiserver.
func (p *Probes) addAPI(c *apiConn) {
	var last atomic.Pointer[string]
	prefix := objectName("probe-" + p.o.RunID + "-" + c.target.Component + "-")
	none := prefix + "none"
	last.Store(&none)
	p.addServer(seriesID{LayerAPI, OpWrite, "", c.target.Component}, rundir.Key{Verb: "create", Resource: "configmaps", Scope: "resource"},
		func(ctx context.Context, n uint64) string {
			name := fmt.Sprintf("%s%d", prefix, n)
			_, err := c.create(ctx, p.o.Namespace, name, "probe")
			if err == nil {
				last.Store(&name)
			}
			return APICode(err)
		})
	p.addServer(seriesID{LayerAPI, OpRead, "", c.target.Component}, rundir.Key{Verb: "get", Resource: "configmaps", Scope: "resource"},
		func(ctx context.Context, _ uint64) string {
			_, err := c.get(ctx, p.o.Namespace, *last.Load())
			return APICode(err)
		})
}

func (p *Probes) addServer(id seriesID, key rundir.Key, do func(context.Context, uint64) string) {
	s := p.add(id, key)
	s.do = do
	p.servers = append(p.servers, s)
}

func (p *Probes) add(id seriesID, key rundir.Key) *probeSeries {
	key.Workload, key.Detail = rundir.WorkloadProbe, id.target
	s := &probeSeries{id: id, rec: p.o.Recorder.Series(key), pending: map[uint64]int64{}}
	p.series = append(p.series, s)
	return s
}

// objectName makes a part of an object's name of s.
func objectName(s string) string { return strings.ReplaceAll(strings.ToLower(s), "_", "-") }

// Run probes until ctx ends. What is under way then is neither a success nor
// a failure, and is forgotten. It always returns nil: a probe that fails is
// what it is here to see.
func (p *Probes) Run(ctx context.Context) error {
	defer p.close()
	var wg sync.WaitGroup
	// The probes do not all come at the same instant.
	n, now := int64(0), p.o.Clock.Now()
	start := func() int64 {
		n++
		return now + n*int64(p.o.Interval)/int64(len(p.members)+len(p.servers))
	}
	for _, m := range p.members {
		at := start()
		wg.Go(func() { m.run(ctx, at) })
	}
	for _, s := range p.servers {
		at := start()
		wg.Go(func() { p.run(ctx, s, at) })
	}
	wg.Wait()
	return nil
}

func (p *Probes) run(ctx context.Context, s *probeSeries, start int64) {
	pacer := pace.Pacer{
		Clock: p.o.Clock, Start: start,
		Schedule: probeSchedule{p, nil}, InFlight: p.inFlight(),
	}
	pacer.Run(ctx, func(ctx context.Context, slot pace.Slot) {
		s.begin(slot)
		sent := p.o.Clock.Now()
		deadline, cancel := context.WithDeadline(ctx, p.o.Clock.At(slot.Intended).Add(p.o.Deadline))
		code := s.do(deadline, slot.N)
		cancel()
		if ctx.Err() != nil {
			s.forget(slot)
			return
		}
		p.done(s, slot, sent, code)
	}, func(slot pace.Slot) {
		s.begin(slot)
		p.done(s, slot, slot.Intended, CodeRefused)
	})
}

// inFlight is how many probes of an operation can be under way before the first
// of them has failed, and some.
func (p *Probes) inFlight() int { return int(p.o.Deadline/min(p.o.NearInterval, p.o.Interval)) + 8 }

func (p *Probes) done(s *probeSeries, slot pace.Slot, sent int64, code string) {
	now := p.o.Clock.Now()
	s.rec.Record(slot.Intended, sent, now, code, 0)
	if probe, kept := s.end(slot, now, code, p.near.Load()); kept {
		p.o.Sink(probe)
	}
}

// Near says that a fault is near (true) or its recovery over (false): between
// them every outcome is kept, and etcd is probed at the near interval, which
// takes hold with the next probe. Call it an interval or more before the fault,
// and Struck as it sets to work.
func (p *Probes) Near(on bool) {
	p.struck.Store(0)
	if p.near.Swap(on) != on && on {
		for _, s := range p.series {
			s.keepLast()
		}
	}
}

// Struck says that a fault sets to work now, or its healing. A member that has
// answered everything for a while since then has recovered, or was never hurt:
// it is probed at the usual interval again, and finely as soon as it fails. So
// the observation of what is well does not hold up what is not.
func (p *Probes) Struck() { p.struck.Store(p.o.Clock.Now()) }

// probeSchedule is a constant rate that Near changes, for a member's probes.
type probeSchedule struct {
	p      *Probes
	member *probedMember // nil for an apiserver
}

// Next implements pace.Schedule.
func (s probeSchedule) Next(n uint64, prev int64) (int64, bool) {
	if n == 0 {
		return 0, true
	}
	if s.member != nil && s.member.fine() {
		return prev + int64(s.p.o.NearInterval), true
	}
	return prev + int64(s.p.o.Interval), true
}

// Outcomes returns what was kept of the probes intended up to to and done at or
// after from, and of each target and operation the last success before that:
// what Recovery needs.
func (p *Probes) Outcomes(from, to int64) []rundir.Probe {
	var out []rundir.Probe
	for _, s := range p.series {
		out = append(out, s.between(from, to)...)
	}
	return out
}

// Recovery computes the recovery times of an act from what was kept.
func (p *Probes) Recovery(d Disturbance) []rundir.Recovery {
	d.N = cmp.Or(d.N, p.o.N)
	if d.Until == 0 {
		d.Until = p.o.Clock.Now()
	}
	return Recovery(p.Outcomes(d.Intended, d.Until), d)
}

// errNotNear says that Recovered was called without Near.
var errNotNear = errors.New("probes: Recovered needs Near(true), without which successes are not kept")

// Recovered returns nil as soon as every target that is not among d.Down has
// recovered, as Recovery defines it, or an error that names those that had
// not when ctx ended. Near must be on.
func (p *Probes) Recovered(ctx context.Context, d Disturbance) error {
	if !p.near.Load() {
		return errNotNear
	}
	n := cmp.Or(d.N, p.o.N)
	tick := time.NewTicker(p.o.NearInterval)
	defer tick.Stop()
	waiting := slices.Clone(p.series)
	for {
		waiting = slices.DeleteFunc(waiting, func(s *probeSeries) bool {
			return slices.Contains(d.Down, s.id.target) || s.recovered(n, d)
		})
		if len(waiting) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			var names []string
			for _, s := range waiting {
				names = append(names, s.id.target+" "+s.id.op)
			}
			return fmt.Errorf("not recovered: %s: %w", strings.Join(names, ", "), ctx.Err())
		}
	}
}

func (p *Probes) close() {
	for _, m := range p.members {
		m.conn.close()
	}
	for _, c := range p.api {
		c.close()
	}
}
