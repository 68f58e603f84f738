package workloads

import (
	"context"
	"errors"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
)

// mute takes watches and says nothing, or that they are open and then nothing.
type mute struct {
	pb.UnimplementedWatchServer
	opens bool
}

func (m *mute) Watch(s pb.Watch_WatchServer) error {
	if _, err := s.Recv(); err != nil {
		return err
	}
	if m.opens {
		if err := s.Send(&pb.WatchResponse{Header: &pb.ResponseHeader{Revision: 1}, Created: true}); err != nil {
			return err
		}
	}
	<-s.Context().Done()
	return s.Context().Err()
}

// A member that takes a watch and does not say that it is open is given up as a request
// is; one that is open may be quiet for longer than that, until the load ends.
func TestAWatchThatIsNeverOpenedIsGivenUp(t *testing.T) {
	t.Parallel()
	watch := func(ctx context.Context, opens bool, timeout time.Duration) (opened uint64, err error) {
		member := peerOf(t, func(server *grpc.Server) { pb.RegisterWatchServer(server, &mute{opens: opens}) })
		clock := measure.NewClock()
		rec := measure.NewRecorder(clock, func(w rundir.Window) {
			if w.Verb == "watch" {
				opened += w.OK
			}
		})
		e := of(func(e *EtcdDirect) { e.Timeout = unit.Duration(timeout) }).(*EtcdDirect)
		e.members, e.keys, e.from = []*etcd.Client{member}, newKeyspace(e.Keys), 1
		err = newEtcdWatch(e.direct(&Env{Name: "x", Clock: clock, Recorder: rec}), member).watch(ctx)
		rec.Close()
		return opened, err
	}
	if opened, err := watch(t.Context(), false, 100*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) || opened != 0 || measure.EtcdCode(err) != measure.CodeTimeout {
		t.Errorf("never opened: %v, %d opened", err, opened)
	}
	ctx, end := context.WithTimeout(t.Context(), 3*time.Second)
	defer end()
	if opened, err := watch(ctx, true, time.Second); err == nil || ctx.Err() == nil || opened != 1 {
		t.Errorf("opened and quiet: %v, %d opened", err, opened)
	}
}
