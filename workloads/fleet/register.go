package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storm-harness/storm/internal/apart"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// registrars is how many nodes register at once.
const registrars = 64

// patience is how long a registration goes on trying while nothing else comes up.
const patience = 60 * time.Second

// objectSize is more than any Node or Lease of storm's takes.
const objectSize = 256 << 10

const (
	nodesPath    = "/api/v1/nodes"
	csiNodesPath = "/apis/storage.k8s.io/v1/csinodes"
)

// Register makes every node's Node, as many at a time as Up does at most, and
// nothing else. What is there already stays. Close the fleet afterwards.
func (f *Fleet) Register(ctx context.Context) error {
	if err := f.meet(ctx); err != nil {
		return err
	}
	return f.each(ctx, func(ctx context.Context, n *node) error {
		if err := f.equip(n); err != nil {
			return err
		}
		return f.registerNode(ctx, n)
	})
}

// meet connects the fleet, and learns what the nodes have to know of the server.
func (f *Fleet) meet(ctx context.Context) error {
	if err := f.connect(); err != nil {
		return err
	}
	version, err := f.serverVersion(ctx)
	f.version = version
	return err
}

// join makes a node's Node, starts the node and makes its CSINode: as a kubelet does
// it, what belongs to the Node follows while it watches. background is what the
// node's heartbeats end with.
func (f *Fleet) join(ctx, background context.Context, n *node) error {
	if err := f.admit(ctx); err != nil {
		return err
	}
	if err := f.equip(n); err != nil {
		return err
	}
	if err := f.registerNode(ctx, n); err != nil {
		return err
	}
	f.start(background, n)
	return f.registerCSI(ctx, n)
}

// each does something for every node, some at a time, until the first error.
func (f *Fleet) each(ctx context.Context, do func(context.Context, *node) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan *node)
	var workers sync.WaitGroup
	for range min(registrars, len(f.nodes)) {
		workers.Go(func() {
			for n := range work {
				if ctx.Err() != nil {
					continue
				}
				if err := do(ctx, n); err != nil {
					cancel(fmt.Errorf("register node %s: %w", n.name, err))
				}
			}
		})
	}
	for _, n := range f.nodes {
		work <- n
	}
	close(work)
	workers.Wait()
	return context.Cause(ctx)
}

// registerNode makes the node's Node.
func (f *Fleet) registerNode(ctx context.Context, n *node) error {
	body, err := f.nodeBody(n)
	if err != nil {
		return err
	}
	meta, a, err := f.ensure(ctx, n, nodesPath, body, f.series.nodeCreate)
	if err != nil {
		return err
	}
	n.uid, n.awaited = meta.UID, a.Sent
	if a.Status == http.StatusConflict { // whoever made it, the controllers may have given it up since
		n.awaited -= 2 * graceSeconds * int64(time.Second)
	}
	f.made.Add(1)
	return nil
}

// nodeBody is the Node as its kubelet offers it, each time it starts: it may have
// been deleted meanwhile.
func (f *Fleet) nodeBody(n *node) ([]byte, error) {
	object := n.object(f.version, f.env.Labels)
	if f.cfg.Apart {
		apart.Mark(object)
	}
	return client.Encode(object)
}

// registerCSI makes the node's CSINode.
func (f *Fleet) registerCSI(ctx context.Context, n *node) error {
	body, err := f.csiNode(n)
	if err != nil {
		return err
	}
	_, _, err = f.ensure(ctx, n, csiNodesPath, body, f.series.csiCreate)
	return err
}

// csiNode is the node's CSINode, without drivers.
func (f *Fleet) csiNode(n *node) ([]byte, error) {
	return client.Encode(&storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{
		Name: n.name, Labels: f.env.Labels,
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: n.name, UID: types.UID(n.uid)}},
	}})
}

// ensure creates an object of the node's name, or gets it where it is there. The
// answer is to the creation.
func (f *Fleet) ensure(ctx context.Context, n *node, collection string, object []byte, count *measure.Series) (lean.Meta, client.Answer, error) {
	reply := replies.Get().(*bytes.Buffer)
	defer replies.Put(reply)
	intended := f.env.Clock.Now()
	a, err := f.insist(ctx, n, &client.Request{
		Method: http.MethodPost, Path: collection, Body: object, ContentType: client.Protobuf, As: n.as,
	}, reply, http.StatusConflict)
	switch {
	case err != nil:
	case a.OK():
		a.Record(count, intended)
	default:
		_, err = f.insist(ctx, n, get(collection+"/"+n.name, n.as), reply)
	}
	if err != nil {
		return lean.Meta{}, a, err
	}
	meta, err := lean.MetaOf(reply.Bytes())
	return meta, a, err
}

// insist repeats a request of a node that joins. A kubelet would go on for ever: the
// node is given up when meanwhile nothing of the fleet came up either.
func (f *Fleet) insist(ctx context.Context, n *node, r *client.Request, reply *bytes.Buffer, asGood ...int) (client.Answer, error) {
	for {
		before := f.steps()
		a, err := n.beats.Insist(ctx, r, patience, reply, objectSize, asGood...)
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || f.steps() == before {
			return a, err
		}
	}
}

// get is a request for one object.
func get(path string, as *client.User) *client.Request {
	return &client.Request{Method: http.MethodGet, Path: path, As: as}
}

// serverVersion returns the API server's version: simulated kubelets say that
// they are of the same one.
func (f *Fleet) serverVersion(ctx context.Context) (string, error) {
	var body bytes.Buffer
	req := &client.Request{Method: http.MethodGet, Path: "/version", Accept: client.JSON}
	if _, err := f.heartbeats.Insist(ctx, req, patience, &body, objectSize); err != nil {
		return "", err
	}
	var v struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal(body.Bytes(), &v); err != nil || v.GitVersion == "" {
		return "", fmt.Errorf("the API server's /version is not understood: %q", body.String())
	}
	return v.GitVersion, nil
}
