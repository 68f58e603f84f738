package workloads

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
)

// What an etcd that hangs had kept waiting for long when the load ended counts; a
// younger request does not.
func TestWhatHadWaitedLongForEtcdWhenTheLoadEndedIsCounted(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // whoever connects hears nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	member, err := etcd.Open("https://"+silent.Addr().String(), &tls.Config{MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	defer member.Close()
	e := of(func(e *EtcdDirect) { e.Rate, e.Timeout = unit.Steady(100), unit.Duration(2*time.Second) }).(*EtcdDirect)
	e.members, e.keys = []*etcd.Client{member}, newKeyspace(e.Keys)
	for wait, want := range map[time.Duration]uint64{20 * time.Millisecond: 0, 600 * time.Millisecond: 1} {
		got := map[string]uint64{}
		clock := measure.NewClock()
		rec := measure.NewRecorder(clock, func(w rundir.Window) {
			for code, n := range w.Errors {
				got[code] += n
			}
		})
		d := e.direct(&Env{Name: "x", Clock: clock})
		for op := range d.series {
			d.series[op] = rec.Series(rundir.Key{Verb: opNames[op].verb, Detail: opNames[op].detail})
		}
		d.grants = rec.Series(rundir.Key{Verb: "grant"})
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		d.slot(ctx, pace.Slot{Intended: clock.Now()})
		cancel()
		rec.Close()
		if got[measure.CodeUnended] != want {
			t.Errorf("after %s: counted %v, want %d", wait, got, want)
		}
	}
}

// leasing is an etcd that grants leases and takes transactions.
type leasing struct {
	pb.UnimplementedLeaseServer
	pb.UnimplementedKVServer
	clock   *measure.Clock
	granted chan int64 // when it was asked for one
}

func (l *leasing) LeaseGrant(_ context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error) {
	l.granted <- l.clock.Now()
	return &pb.LeaseGrantResponse{ID: 7, TTL: r.TTL}, nil
}

func (l *leasing) Txn(context.Context, *pb.TxnRequest) (*pb.TxnResponse, error) {
	return &pb.TxnResponse{Header: &pb.ResponseHeader{Revision: 1}, Succeeded: true}, nil
}

// peerOf is a connection to a peer that serves what is registered, in etcd's words.
func peerOf(t *testing.T, register func(*grpc.Server)) *etcd.Client {
	t.Helper()
	donor := httptest.NewTLSServer(nil)
	t.Cleanup(donor.Close)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&donor.TLS.Certificates[0])))
	register(server)
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	member, err := etcd.Open("https://"+l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(member.Close)
	return member
}

// An event is reached when its lease is asked for: what etcd takes for that is no
// lateness of storm's.
func TestAnEventThatWaitsForItsLeaseIsNotSentLate(t *testing.T) {
	clock := measure.NewClock()
	peer := &leasing{clock: clock, granted: make(chan int64, 1)}
	member := peerOf(t, func(server *grpc.Server) {
		pb.RegisterLeaseServer(server, peer)
		pb.RegisterKVServer(server, peer)
	})
	e := of(func(e *EtcdDirect) { e.Rate = unit.Steady(100) }).(*EtcdDirect)
	e.members, e.keys = []*etcd.Client{member}, newKeyspace(e.Keys)
	rec := measure.NewRecorder(clock, func(rundir.Window) {})
	defer rec.Close()
	d := e.direct(&Env{Name: "x", Clock: clock})
	d.grants = rec.Series(rundir.Key{Verb: "grant"})
	slot := pace.Slot{Intended: clock.Now()}
	res := d.event(t.Context(), slot, d.draw(slot))
	if asked := <-peer.granted; res.code != "" || res.sent > asked {
		t.Errorf("%q: sent %d ns after its lease was asked for", res.code, res.sent-asked)
	}
}
