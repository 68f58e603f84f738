package fleet

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// The pauses of a kubelet that could not register, as in its registerWithAPIServer.
const (
	firstOffer = 100 * time.Millisecond
	lastOffer  = 7 * time.Second
)

// comeBack puts on the agenda what a kubelet asks of the API server when it has
// started, beside its watches: it offers its Node, which is refused because the
// Node is there, and reads that; it looks after its CSINode, renews its lease
// and reports its status; all of it if the machine was away, for the
// controllers may have found its state unknown.
func (f *Fleet) comeBack(n *node, at int64, away bool) {
	f.offer(n, at, firstOffer, away)
}

// offer offers the Node, and goes on to the rest once it is there.
func (f *Fleet) offer(n *node, at int64, pause time.Duration, away bool) {
	f.agenda.Add(at, func(ctx context.Context, at int64) {
		done, ok := f.reregister(ctx, n, at)
		switch {
		case done.Cut:
		case !ok:
			f.offer(n, done.Done+int64(pause), min(2*pause, lastOffer), away)
		default:
			f.refresh(ctx, n, done.Done, away)
		}
	})
}

// reregister offers the Node and learns its UID.
func (f *Fleet) reregister(ctx context.Context, n *node, intended int64) (client.Answer, bool) {
	reply := replies.Get().(*bytes.Buffer)
	defer replies.Put(reply)
	reply.Reset()
	body, err := f.nodeBody(n)
	if err != nil {
		f.env.Log.Error("encode a Node", "error", err)
		return client.Answer{Cut: true}, false
	}
	a := n.ask(ctx, n.beats, &client.Request{Method: http.MethodPost, Path: nodesPath, Body: body, ContentType: client.Protobuf, As: n.as}, reply, objectSize)
	known := a.Status == http.StatusConflict
	if known {
		a.Code = "" // the answer that a kubelet expects that was there before
	}
	a.Record(f.series.nodeCreate, intended)
	if known {
		reply.Reset()
		intended = a.Done
		a = n.ask(ctx, n.beats, get(nodesPath+"/"+n.name, n.as), reply, objectSize)
		a.Record(f.series.nodeGet, intended)
	}
	if !a.OK() {
		return a, false
	}
	meta, err := lean.MetaOf(reply.Bytes())
	if err != nil {
		return a, false
	}
	n.mu.Lock()
	n.uid, n.leaseVersion = meta.UID, ""
	n.mu.Unlock()
	return a, true
}

// refresh looks after the node's CSINode, its lease and its status.
func (f *Fleet) refresh(ctx context.Context, n *node, at int64, away bool) {
	a := n.ask(ctx, n.beats, get(csiNodesPath+"/"+n.name, n.as), nil, 0)
	a.Record(f.series.csiGet, at)
	if a.Status == http.StatusNotFound {
		n.mu.Lock()
		body, err := f.csiNode(n)
		n.mu.Unlock()
		if err == nil {
			req := &client.Request{Method: http.MethodPost, Path: csiNodesPath, Body: body, ContentType: client.Protobuf, As: n.as}
			n.ask(ctx, n.beats, req, nil, 0).Record(f.series.csiCreate, a.Done)
		}
	}
	f.beats.Add(1) // within alive, which is over before it waits for these
	f.renew(ctx, n, f.env.Clock.Now(), nil, f.beats.Done)
	if away {
		f.state(ctx, n, f.env.Clock.Now())
		return
	}
	f.beats.Add(1)
	f.report(ctx, n, f.env.Clock.Now(), f.beats.Done)
}
