package measure

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/wire"
)

// probedMember is the probes of one etcd member: at each instant a write and a
// read, which go out in one record. A read asks for what the last acknowledged
// write of this connection wrote.
type probedMember struct {
	p           *Probes
	conn        *etcdConn
	prefix      string       // of the keys
	write, read *probeSeries // write is nil where etcd may only be read
	last        atomic.Pointer[string]

	mu    sync.Mutex
	since int64 // when the first of the successes in a row was intended; 0: the last one failed
	until int64 // and the last
}

// addEtcd adds the two series of a member.
func (p *Probes) addEtcd(c *etcdConn) {
	m := &probedMember{p: p, conn: c, prefix: "/storm/probe/" + p.o.RunID + "/" + c.target.Component + "/"}
	m.last.Store(&m.prefix)
	if !p.o.EtcdReadOnly {
		m.write = p.add(seriesID{LayerEtcd, OpWrite, c.target.Shard, c.target.Component}, rundir.Key{Via: LayerEtcd, Verb: "put"})
	}
	m.read = p.add(seriesID{LayerEtcd, OpRead, c.target.Shard, c.target.Component}, rundir.Key{Via: LayerEtcd, Verb: "range"})
	p.members = append(p.members, m)
}

// run probes until ctx ends. What is under way then ends with the connection.
func (m *probedMember) run(ctx context.Context, start int64) {
	var cork wire.Cork
	both := slices.DeleteFunc([]*probeSeries{m.write, m.read}, func(s *probeSeries) bool { return s == nil })
	l := pace.Launcher{Pacer: pace.Pacer{
		Clock: m.p.o.Clock, Start: start, Schedule: probeSchedule{m.p, m}, InFlight: m.p.inFlight(),
	}}
	l.Run(ctx, func(slot pace.Slot) {
		var ended atomic.Int32
		over := func() {
			if int(ended.Add(1)) == len(both) {
				l.Done()
			}
		}
		if m.write == nil {
			m.ask(ctx, m.read, slot, methodRange, &pb.RangeRequest{Key: []byte(m.prefix)}, &cork, func(string) { over() })
			return
		}
		key := m.prefix + strconv.FormatUint(slot.N, 10)
		m.ask(ctx, m.write, slot, methodPut, &pb.PutRequest{Key: []byte(key), Value: []byte("probe")}, &cork, func(code string) {
			if code == "" {
				m.last.Store(&key)
			}
			over()
		})
		m.ask(ctx, m.read, slot, methodRange, &pb.RangeRequest{Key: []byte(*m.last.Load())}, &cork, func(string) { over() })
	}, func(slot pace.Slot) {
		for _, s := range both {
			s.begin(slot)
			m.p.done(s, slot, slot.Intended, CodeRefused)
		}
	}, cork.Flush)
}

// ask makes one probe; then is called when it is over.
func (m *probedMember) ask(ctx context.Context, s *probeSeries, slot pace.Slot, method string, req message, cork *wire.Cork, then func(code string)) {
	s.begin(slot)
	sent := m.p.o.Clock.Now()
	m.conn.calls.ask(method, req, nil, slot.Intended+int64(m.p.o.Deadline), cork, func(err error) {
		code := EtcdCode(err)
		if ctx.Err() != nil {
			s.forget(slot)
		} else {
			m.saw(slot.Intended, code == "")
			m.p.done(s, slot, sent, code)
		}
		then(code)
	})
}

// calmAfter is how long beyond a probe's deadline a member must have answered
// everything to be left to the usual interval: what hangs is known to have failed
// no earlier.
const calmAfter = 500 * time.Millisecond

// saw takes note of an outcome.
func (m *probedMember) saw(intended int64, ok bool) {
	struck := m.p.struck.Load()
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !ok:
		m.since = 0
	case m.since == 0 || m.since < struck:
		m.since, m.until = intended, intended
	default:
		m.until = max(m.until, intended)
	}
}

// fine says whether the member is to be probed at the near interval.
func (m *probedMember) fine() bool {
	if !m.p.near.Load() {
		return false
	}
	struck := m.p.struck.Load()
	m.mu.Lock()
	defer m.mu.Unlock()
	return struck == 0 || m.since < struck || m.until-m.since < int64(m.p.o.Deadline+calmAfter)
}
