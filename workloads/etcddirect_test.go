package workloads

import (
	"math"
	"sync"
	"testing"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/unit"
)

// What slots do is the mix, and the seed alone decides it.
func TestEtcdMixIsDrawn(t *testing.T) {
	e := of(func(e *EtcdDirect) { e.Rate = unit.Steady(100) }).(*EtcdDirect)
	d, again := e.direct(&Env{Name: "x", Seed: 7}), e.direct(&Env{Name: "x", Seed: 7})
	var seen [operations]float64
	const n = 20_000
	for i := range uint64(n) {
		op := d.draw(pace.Slot{N: i}).op
		if op != again.draw(pace.Slot{N: i}).op {
			t.Fatalf("slot %d does something else the second time", i)
		}
		seen[op]++
	}
	for op, share := range stockMix.shares() {
		// Five standard errors of a share of n draws.
		p := share.Fraction()
		if off := math.Abs(seen[op]/n - p); off > 5*math.Sqrt(p*(1-p)/n) {
			t.Errorf("%s has a share of %.3f, want %.3f", opNames[op].detail, seen[op]/n, p)
		}
	}
}

// A key is with one request at a time, and comes back as what it has become.
func TestKeysAreTakenByOneRequestAtATime(t *testing.T) {
	k := newKeyspace(50)
	if _, ok := k.take(true, .5); ok {
		t.Error("a key that is there, of none")
	}
	if _, ok := k.look(.5); ok {
		t.Error("a look at none")
	}
	var mu sync.Mutex
	held := map[int]bool{}
	var workers sync.WaitGroup
	for w := range 4 {
		workers.Go(func() {
			for i := range 2000 {
				got, ok := k.take((i+w)%2 == 0, float64(i%97)/97)
				if !ok {
					continue
				}
				mu.Lock()
				if held[got.index] {
					t.Errorf("key %d is with two", got.index)
				}
				held[got.index] = true
				mu.Unlock()
				if got.revision == 0 {
					got.revision = int64(i + 1)
				} else {
					got.revision = 0
				}
				mu.Lock()
				held[got.index] = false
				mu.Unlock()
				k.give(got)
			}
		})
	}
	workers.Wait()
	if n := len(k.absent) + len(k.present); n != 50 {
		t.Errorf("%d keys in the end", n)
	}
	for _, there := range k.present {
		if there.revision == 0 {
			t.Errorf("key %d is there at revision 0", there.index)
		}
	}
}

func TestAFailedTransactionTellsTheRevision(t *testing.T) {
	read := func(kvs ...*mvccpb.KeyValue) *pb.TxnResponse {
		return &pb.TxnResponse{Responses: []*pb.ResponseOp{{Response: &pb.ResponseOp_ResponseRange{ResponseRange: &pb.RangeResponse{Kvs: kvs}}}}}
	}
	for want, resp := range map[int64]*pb.TxnResponse{9: read(&mvccpb.KeyValue{ModRevision: 9}), 0: read()} {
		if got := revisionIn(resp); got != want {
			t.Errorf("got %d, want %d", got, want)
		}
	}
	if got := revisionIn(&pb.TxnResponse{}); got != 0 {
		t.Errorf("of no answer: %d", got)
	}
}
