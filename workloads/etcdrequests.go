package workloads

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// operation is what a slot does.
type operation int

const (
	opCreate operation = iota
	opUpdate
	opDelete
	opGet
	opList
	opEvent
	opPut
	operations
)

// opNames are the operations in the words of series: etcd's verb, and what the
// API server is about with it.
var opNames = [operations]struct{ verb, detail string }{
	opCreate: {"txn", "create"}, opUpdate: {"txn", "update"}, opDelete: {"txn", "delete"},
	opGet: {"range", "get"}, opList: {"range", "list"}, opEvent: {"txn", "event"}, opPut: {"put", "plain"},
}

// codeConflict is of a transaction whose comparison failed: the key has another
// revision than the load knew.
const codeConflict = "conflict"

// stampSize is the beginning of every value: the time of its sending, in ns
// since the clock's origin, by which a watch measures its delivery.
const stampSize = 8

// direct is one run of the load on etcd.
type direct struct {
	*EtcdDirect
	env    *Env
	prefix string
	noise  []byte // what values are made of
	upTo   [operations]float64
	series [operations]*measure.Series
	grants *measure.Series
	cut    atomic.Uint64

	granted struct {
		sync.Mutex
		ttl   int64 // s
		id    int64
		until int64 // when it ends, ns since the clock's origin
		used  int
	}
}

// drawn is what the seed says of a slot.
type drawn struct {
	op  operation
	u   float64 // which key
	rng *rand.Rand
}

func (d *direct) draw(slot pace.Slot) drawn {
	rng := rand.New(rand.NewPCG(uint64(d.env.Seed), slot.N))
	out, x := drawn{op: opUpdate, rng: rng}, rng.Float64()*d.upTo[operations-1]
	for op, to := range d.upTo {
		if x < to {
			out.op = operation(op)
			break
		}
	}
	out.u = rng.Float64()
	return out
}

// result is what became of a request.
type result struct {
	sent  int64 // when storm got to it
	bytes int64 // of the request where it writes, of the answer where it reads
	code  string
}

// slot makes one request. Where there is no key for it, as none is there to be
// deleted, it does the opposite, so that there soon is one.
func (d *direct) slot(ctx context.Context, slot pace.Slot) {
	what := d.draw(slot)
	within, cancel := context.WithTimeout(ctx, d.Timeout.D())
	defer cancel()
	var res result
	switch what.op {
	case opCreate:
		res = d.create(within, slot, what)
	case opUpdate, opDelete:
		res = d.change(within, slot, what)
	case opGet:
		res = d.get(within, slot, what)
	case opList:
		res = d.list(within, slot)
	case opEvent:
		res = d.event(within, slot, what)
	default:
		res = d.put(within, slot, what)
	}
	now := d.env.Clock.Now()
	if res.code != "" && ctx.Err() != nil {
		if d.cut.Add(1); now-slot.Intended <= client.Patience(d.Timeout.D()) {
			return
		}
		res.code = measure.CodeUnended
	}
	d.series[what.op].Record(slot.Intended, res.sent, now, res.code, res.bytes)
}

// member is whom a slot asks: each in turn, as etcd's own client does.
func (d *direct) member(slot pace.Slot) *etcd.Client { return d.members[slot.N%uint64(len(d.members))] }

func (d *direct) name(index int) []byte { return fmt.Appendf(nil, "%skeys/%07d", d.prefix, index) }

// value returns a value of a random size.
func (d *direct) value(what drawn, sent int64) []byte {
	v := make([]byte, min(max(d.Size.At(what.rng.Float64()), stampSize), maxValue))
	copy(v, d.noise)
	binary.BigEndian.PutUint64(v, uint64(sent))
	return v
}

// is compares a key's revision.
func is(name []byte, revision int64) []*pb.Compare {
	return []*pb.Compare{{
		Key: name, Target: pb.Compare_MOD, Result: pb.Compare_EQUAL, TargetUnion: &pb.Compare_ModRevision{ModRevision: revision},
	}}
}

func puts(name, value []byte, lease int64) []*pb.RequestOp {
	return []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: name, Value: value, Lease: lease}}}}
}

func deletes(name []byte) []*pb.RequestOp {
	return []*pb.RequestOp{{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: &pb.DeleteRangeRequest{Key: name}}}}
}

func reads(name []byte) []*pb.RequestOp {
	return []*pb.RequestOp{{Request: &pb.RequestOp_RequestRange{RequestRange: &pb.RangeRequest{Key: name}}}}
}

// create puts a key that is not there, with an API server's transaction
// (OptimisticPut with an expected revision of 0), which reads nothing where it
// fails.
func (d *direct) create(ctx context.Context, slot pace.Slot, what drawn) result {
	k, ok := d.keys.take(false, what.u)
	if !ok {
		return d.change(ctx, slot, what)
	}
	name, sent := d.name(k.index), d.env.Clock.Now()
	req := &pb.TxnRequest{Compare: is(name, 0), Success: puts(name, d.value(what, sent), 0)}
	resp, err := d.member(slot).KV().Txn(ctx, req)
	res := result{sent: sent, bytes: int64(req.Size()), code: measure.EtcdCode(err)}
	switch {
	case err != nil:
		k.revision = unknownRevision
	case resp.Succeeded:
		k.revision = resp.Header.Revision
	default:
		k.revision, res.code = unknownRevision, codeConflict
	}
	d.keys.give(k)
	return res
}

// change updates or deletes a key that is there, with an API server's
// transactions (OptimisticPut and OptimisticDelete with GetOnFailure): where the
// revision is not the one known, the answer has what is there.
func (d *direct) change(ctx context.Context, slot pace.Slot, what drawn) result {
	k, ok := d.keys.take(true, what.u)
	if !ok {
		if k, ok = d.keys.take(false, what.u); !ok {
			return d.get(ctx, slot, what) // every key is in flight
		}
	}
	name, sent := d.name(k.index), d.env.Clock.Now()
	remove := what.op == opDelete && k.revision != 0
	req := &pb.TxnRequest{Compare: is(name, k.revision), Failure: reads(name)}
	if remove {
		req.Success = deletes(name)
	} else {
		req.Success = puts(name, d.value(what, sent), 0)
	}
	resp, err := d.member(slot).KV().Txn(ctx, req)
	res := result{sent: sent, bytes: int64(req.Size()), code: measure.EtcdCode(err)}
	switch {
	case err != nil:
		k.revision = unknownRevision
	case !resp.Succeeded:
		k.revision, res.code = revisionIn(resp), codeConflict
	case remove:
		k.revision = 0
	default:
		k.revision = resp.Header.Revision
	}
	d.keys.give(k)
	return res
}

// revisionIn is the revision that a transaction read instead; 0 where the key
// is not there.
func revisionIn(resp *pb.TxnResponse) int64 {
	for _, r := range resp.Responses {
		if kvs := r.GetResponseRange().GetKvs(); len(kvs) > 0 {
			return kvs[0].ModRevision
		}
	}
	return 0
}

// put puts a key without asking what is there.
func (d *direct) put(ctx context.Context, slot pace.Slot, what drawn) result {
	k, ok := d.keys.take(true, what.u)
	if !ok {
		if k, ok = d.keys.take(false, what.u); !ok {
			return d.get(ctx, slot, what)
		}
	}
	sent := d.env.Clock.Now()
	req := &pb.PutRequest{Key: d.name(k.index), Value: d.value(what, sent)}
	resp, err := d.member(slot).KV().Put(ctx, req)
	k.revision = unknownRevision
	if err == nil {
		k.revision = resp.Header.Revision
	}
	d.keys.give(k)
	return result{sent: sent, bytes: int64(req.Size()), code: measure.EtcdCode(err)}
}

// get reads one key as an API server does: linearizably, with a limit of 1.
func (d *direct) get(ctx context.Context, slot pace.Slot, what drawn) result {
	k, ok := d.keys.look(what.u)
	if !ok {
		k.index = int(what.u * float64(d.Keys))
	}
	sent := d.env.Clock.Now()
	resp, err := d.member(slot).KV().Range(ctx, &pb.RangeRequest{Key: d.name(k.index), Limit: 1})
	res := result{sent: sent, code: measure.EtcdCode(err)}
	if err == nil {
		res.bytes = int64(resp.Size())
	}
	return res
}

// list reads all keys, page by page, all at the revision of the first page.
func (d *direct) list(ctx context.Context, slot pace.Slot) result {
	res := result{sent: d.env.Clock.Now()}
	keys := d.prefix + "keys/" // one resource's, as an API server lists: no Events
	req := &pb.RangeRequest{Key: []byte(keys), RangeEnd: etcd.PrefixEnd(keys), Limit: int64(d.Limit)}
	for {
		resp, err := d.member(slot).KV().Range(ctx, req)
		if err != nil {
			res.code = measure.EtcdCode(err)
			return res
		}
		res.bytes += int64(resp.Size())
		if !resp.More || len(resp.Kvs) == 0 {
			return res
		}
		if req.Revision == 0 {
			req.Revision = resp.Header.Revision
		}
		req.Key = slices.Concat(resp.Kvs[len(resp.Kvs)-1].Key, []byte{0})
	}
}

// event creates a key that has a lease, as an API server does for Events.
func (d *direct) event(ctx context.Context, slot pace.Slot, what drawn) result {
	lease, res := d.leased(ctx, slot)
	if res.code != "" {
		return res
	}
	// What the lease took, be it granted for another key, is etcd's time: it counts
	// in the latency, and sent stays when that began.
	name := []byte(d.prefix + "events/" + strconv.FormatUint(slot.N, 36))
	req := &pb.TxnRequest{Compare: is(name, 0), Success: puts(name, d.value(what, d.env.Clock.Now()), lease)}
	resp, err := d.member(slot).KV().Txn(ctx, req)
	res.bytes, res.code = int64(req.Size()), measure.EtcdCode(err)
	if err == nil && !resp.Succeeded {
		res.code = codeConflict
	}
	return res
}

// How an API server shares leases among keys of the same time to live
// (k8s.io/apiserver, storage/etcd3/lease_manager.go): one for a twentieth of
// that time, a minute at most, and for a thousand keys.
const (
	leaseShare   = .05
	leaseSeconds = 60
	leaseKeys    = 1000
)

// leased returns the lease for a key that is created now; like an API server it
// keeps all others waiting while it asks for a new one.
func (d *direct) leased(ctx context.Context, slot pace.Slot) (int64, result) {
	g := &d.granted
	res := result{sent: d.env.Clock.Now()}
	g.Lock()
	defer g.Unlock()
	now := d.env.Clock.Now()
	g.used++
	if now+g.ttl*int64(time.Second) < g.until && g.used <= leaseKeys {
		return g.id, res
	}
	ttl := g.ttl + min(int64(leaseShare*float64(g.ttl)), leaseSeconds)
	resp, err := d.member(slot).Lease().LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: ttl})
	res.code = measure.EtcdCode(err)
	if err != nil && ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled) {
		return 0, res // the load has ended
	}
	d.grants.Observe(now, d.env.Clock.Now(), res.code, 0)
	if err == nil {
		g.id, g.used, g.until = resp.ID, 1, now+ttl*int64(time.Second)
	}
	return g.id, res
}
