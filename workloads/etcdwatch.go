package workloads

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc/metadata"

	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/fleet"
)

// etcdWatch is one watch of all of the load's keys, as an API server's watch
// cache opens it: from the revision behind that of a read, with previous values
// and progress notifications, and only of a member that has a leader. It
// measures how long values take from their sending until they are delivered.
type etcdWatch struct {
	*direct
	member   *etcd.Client
	opened   *measure.Series // the beginning of a watch, and how watches broke
	delivery *measure.Series
	next     int64 // the revision to go on from; 0: to be read
}

func newEtcdWatch(d *direct, m *etcd.Client) *etcdWatch {
	return &etcdWatch{
		direct: d, member: m, next: d.from,
		opened:   d.env.Recorder.Series(rundir.Key{Workload: d.env.Name, Verb: "watch", Via: measure.LayerEtcd}),
		delivery: d.env.Recorder.Series(rundir.Key{Workload: d.env.Name, Verb: "deliver", Resource: "keys", Scope: "resource", Via: fleet.ViaWatch, Detail: "sent-delivered"}),
	}
}

// rewatchPause is how long a watch that broke waits before it begins anew.
const rewatchPause = time.Second

// run watches until ctx ends; a watch that breaks counts as failed, and begins
// anew where it broke, or at the present where etcd has compacted that.
func (w *etcdWatch) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.watch(ctx)
		if ctx.Err() != nil {
			return
		}
		now := w.env.Clock.Now()
		w.opened.Observe(now, now, measure.EtcdCode(err), 0)
		if errors.Is(rpctypes.Error(err), rpctypes.ErrCompacted) {
			w.next = 0
		}
		select {
		case <-time.After(rewatchPause):
		case <-ctx.Done():
		}
	}
}

// watch opens the watch and takes what comes until it breaks.
func (w *etcdWatch) watch(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancelCause(metadata.AppendToOutgoingContext(ctx, rpctypes.MetadataRequireLeaderKey, rpctypes.MetadataHasLeader))
	defer cancel(nil) // the stream
	begun := w.env.Clock.Now()
	// A member that takes the stream and says nothing is given up; once it is open, a
	// watch may be quiet for as long as it likes.
	opening := time.AfterFunc(w.Timeout.D(), func() { cancel(context.DeadlineExceeded) })
	defer opening.Stop()
	defer func() {
		if cause := context.Cause(ctx); errors.Is(cause, context.DeadlineExceeded) {
			err = cause
		}
	}()
	if w.next == 0 {
		resp, err := w.member.KV().Range(ctx, &pb.RangeRequest{Key: []byte(w.prefix), RangeEnd: etcd.PrefixEnd(w.prefix), CountOnly: true})
		if err != nil {
			return err
		}
		w.next = resp.Header.Revision + 1
	}
	stream, err := w.member.Watch().Watch(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{
		Key: []byte(w.prefix), RangeEnd: etcd.PrefixEnd(w.prefix), StartRevision: w.next, PrevKv: true, ProgressNotify: true,
	}}}); err != nil {
		return err
	}
	for {
		resp, err := stream.Recv()
		if err != nil {
			return err
		}
		switch {
		case resp.CompactRevision != 0:
			return rpctypes.ErrGRPCCompacted
		case resp.Canceled:
			return errors.New(resp.CancelReason)
		case resp.Created:
			if !opening.Stop() {
				return context.DeadlineExceeded
			}
			w.opened.Observe(begun, w.env.Clock.Now(), "", 0)
		default:
			w.take(resp)
		}
	}
}

// take measures what has been delivered. A deletion has no time of its own.
func (w *etcdWatch) take(resp *pb.WatchResponse) {
	now := w.env.Clock.Now()
	for _, ev := range resp.Events {
		if ev.Type == mvccpb.PUT && len(ev.Kv.Value) >= stampSize {
			sent := int64(binary.BigEndian.Uint64(ev.Kv.Value))
			w.delivery.Record(sent, sent, now, "", int64(ev.Size()))
		}
	}
	// As etcd's own client goes on: behind the last event, or behind the progress.
	if n := len(resp.Events); n > 0 {
		w.next = resp.Events[n-1].Kv.ModRevision + 1
	} else {
		w.next = max(w.next, resp.Header.Revision+1)
	}
}
