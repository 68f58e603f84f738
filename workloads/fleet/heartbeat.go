package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

const leasePath = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

// leaseSeconds is the lease's duration, four heartbeats by a kubelet's default.
const leaseSeconds = 40

// replies are buffers for small answers.
var replies = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// grid is how exactly the nodes' phases are drawn: those that fall together go
// out in one record and cost one wake-up, and a kubelet's own timer is no finer.
const grid = int64(10 * time.Millisecond)

// beginning begins something for a node that is due at the intended time; done
// is told once it is over. It must not block: its requests wait in the cork.
type beginning func(ctx context.Context, n *node, intended int64, cork *client.Cork, done func())

// cycle does something for every node once a period, each node at a phase of
// its own, as nodes that were started at different times do.
func (f *Fleet) cycle(ctx context.Context, salt uint64, period time.Duration, begin beginning, refused *measure.Series) {
	rng := rand.New(rand.NewPCG(uint64(f.env.Seed), salt))
	phases := make([]int64, len(f.nodes))
	for i := range phases {
		phases[i] = rng.Int64N(max(int64(period)/grid, 1)) * grid
	}
	slices.Sort(phases)
	order := rng.Perm(len(f.nodes))
	var cork client.Cork
	l := pace.Launcher{Pacer: pace.Pacer{Clock: f.env.Clock, Schedule: pace.Cycle(period, phases), InFlight: f.cfg.InFlight}}
	over := func() {
		l.Done()
		f.beats.Done()
	}
	l.Run(ctx, func(s pace.Slot) {
		f.beats.Add(1)
		begin(ctx, f.nodes[order[s.N%uint64(len(order))]], s.Intended, &cork, over)
	}, func(s pace.Slot) {
		refused.Record(s.Intended, s.Intended, s.Intended, measure.CodeRefused, 0)
	}, cork.Flush)
}

// renewal is one heartbeat of a node's, with all the requests that it takes.
type renewal struct {
	node     *node
	intended int64
	// sent is when storm got to it: when the first of its requests was sent, or
	// when it was due while the one before was under way; 0: not yet.
	sent int64
	done func()
}

// record counts a request of the renewal from the heartbeat's intended time on,
// whatever was asked for before it: the lease was to be renewed by then. What the
// server took for what was before is no lateness of the generator's.
func (r *renewal) record(s *measure.Series, a client.Answer) {
	if r.sent == 0 {
		r.sent = a.Sent
	}
	a.Sent = r.sent
	a.Record(s, r.intended)
}

// renew renews a node's lease. Like a kubelet, the node sends the lease with
// the resourceVersion that it got last; where that is refused as outdated it
// asks for the lease the next time, and where the lease is gone, makes it anew.
// Each of these requests counts by itself; a failed one is not repeated before
// the next heartbeat. A heartbeat that is due while the one before is under way
// comes after it.
func (f *Fleet) renew(ctx context.Context, n *node, intended int64, cork *client.Cork, done func()) {
	if n.silent.Load() || !n.begun.Load() {
		done()
		return
	}
	r := &renewal{node: n, intended: intended, done: done}
	n.mu.Lock()
	if n.renewing {
		r.sent = intended
		n.waiting = append(n.waiting, r)
		n.mu.Unlock()
		return
	}
	n.renewing = true
	n.mu.Unlock()
	f.beat(ctx, r, cork)
}

// beat makes the requests of a renewal; renewalOver ends it.
func (f *Fleet) beat(ctx context.Context, r *renewal, cork *client.Cork) {
	n := r.node
	n.mu.Lock()
	known := n.leaseVersion != ""
	n.mu.Unlock()
	if known {
		f.update(ctx, r, cork)
		return
	}
	f.leaseCall(ctx, n, get(leasePath+"/"+n.name, n.as), cork, func(a client.Answer) {
		counted := a
		if a.Status == http.StatusNotFound && !f.hadLease(n) {
			counted.Code = "" // the answer that a kubelet expects that is new
		}
		r.record(f.series.leaseGet, counted)
		switch {
		case a.OK():
			f.update(ctx, r, nil)
		case a.Status == http.StatusNotFound:
			f.create(ctx, r, a.Done)
		default:
			// Nor was the lease renewed; the bytes have been counted.
			a.Bytes, a.Decoded = 0, 0
			r.record(f.series.leaseUpdate, a)
			f.renewalOver(ctx, r)
		}
	})
}

// update sends the lease as it is now.
func (f *Fleet) update(ctx context.Context, r *renewal, cork *client.Cork) {
	n := r.node
	body, err := f.leaseBody(n)
	if err != nil {
		f.renewalOver(ctx, r)
		return
	}
	req := &client.Request{Method: http.MethodPut, Path: leasePath + "/" + n.name, Body: body, ContentType: client.Protobuf, As: n.as}
	f.leaseCall(ctx, n, req, cork, func(a client.Answer) {
		r.record(f.series.leaseUpdate, a)
		if a.OK() {
			f.renewed(n, a.Done)
		}
		f.renewalOver(ctx, r)
	})
}

// create makes a lease that is gone anew.
func (f *Fleet) create(ctx context.Context, r *renewal, intended int64) {
	n := r.node
	body, err := f.leaseBody(n)
	if err != nil {
		f.renewalOver(ctx, r)
		return
	}
	req := &client.Request{Method: http.MethodPost, Path: leasePath, Body: body, ContentType: client.Protobuf, As: n.as}
	f.leaseCall(ctx, n, req, nil, func(a client.Answer) {
		a.Record(f.series.leaseCreate, intended)
		if a.OK() {
			f.renewed(n, a.Done)
		}
		f.renewalOver(ctx, r)
	})
}

// renewalOver ends a renewal, and begins the one that waited for it.
func (f *Fleet) renewalOver(ctx context.Context, r *renewal) {
	n := r.node
	n.mu.Lock()
	var next *renewal
	if n.renewing = len(n.waiting) > 0; n.renewing {
		next = n.waiting[0]
		n.waiting = n.waiting[1:]
	}
	n.mu.Unlock()
	r.done()
	if next != nil {
		f.beat(ctx, next, nil)
	}
}

// hadLease says whether the node has had a lease since it was begun.
func (f *Fleet) hadLease(n *node) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.renewed != 0
}

// renewed notes that the lease was made or renewed. Where that had failed for longer
// than the lease lasts, the controllers may have found the node's state
// unknown, which its kubelet sees at its next look at its own Node, and says
// how it is.
func (f *Fleet) renewed(n *node, at int64) {
	n.mu.Lock()
	first := n.renewed == 0
	long := !first && at-n.renewed > leaseSeconds*int64(time.Second)
	n.renewed = at
	n.mu.Unlock()
	if first {
		f.leased.Add(1)
	}
	if long {
		f.agenda.Add(at, func(ctx context.Context, at int64) { f.state(ctx, n, at) })
	}
}

// leaseCall makes a request about the lease and learns its resourceVersion.
func (f *Fleet) leaseCall(ctx context.Context, n *node, req *client.Request, cork *client.Cork, then func(client.Answer)) {
	reply := replies.Get().(*bytes.Buffer)
	reply.Reset()
	n.send(ctx, n.beats, req, reply, objectSize, cork, func(a client.Answer) {
		var meta lean.Meta
		if a.OK() {
			var err error
			if meta, err = lean.MetaOf(reply.Bytes()); err != nil {
				a.Code = client.CodeMalformed
			}
		}
		replies.Put(reply)
		switch a.Status {
		case http.StatusOK, http.StatusCreated, http.StatusConflict, http.StatusNotFound:
			n.mu.Lock()
			n.leaseVersion = meta.ResourceVersion
			n.mu.Unlock()
		default: // it may have been done or not: if it was, the next is refused as outdated
		}
		then(a)
	})
}

// leaseBody is the node's lease as it is renewed now.
func (f *Fleet) leaseBody(n *node) ([]byte, error) {
	now := metav1.NowMicro()
	seconds := int32(leaseSeconds)
	n.mu.Lock()
	version, uid := n.leaseVersion, n.uid
	n.mu.Unlock()
	return client.Encode(&coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name: n.name, Namespace: "kube-node-lease", ResourceVersion: version, Labels: f.env.Labels,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: n.name, UID: types.UID(uid)}},
		},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &n.name, LeaseDurationSeconds: &seconds, RenewTime: &now},
	})
}

// statusPatch is what a kubelet sends of a status: the heartbeat times of its
// conditions, and what has changed.
type statusPatch struct {
	Status struct {
		Order      []orderedType `json:"$setElementOrder/conditions"`
		Conditions []beat        `json:"conditions"`

		Images []corev1.ContainerImage `json:"images,omitempty"` // where these have changed
	} `json:"status"`
}

type orderedType struct {
	Type string `json:"type"`
}

type beat struct {
	LastHeartbeatTime metav1.Time `json:"lastHeartbeatTime"`
	Type              string      `json:"type"`
}

// report patches a node's status, which has not changed.
func (f *Fleet) report(ctx context.Context, n *node, intended int64, cork *client.Cork, done func()) {
	f.reportWith(ctx, n, intended, nil, cork, done)
}

// reportWith patches a node's status with the images that it holds now, or nil.
func (f *Fleet) reportWith(ctx context.Context, n *node, intended int64, images []corev1.ContainerImage, cork *client.Cork, done func()) {
	if n.silent.Load() {
		done()
		return
	}
	var p statusPatch
	p.Status.Images = images
	now := metav1.NewTime(time.Now())
	for _, c := range conditions(now, now) {
		p.Status.Order = append(p.Status.Order, orderedType{string(c.Type)})
		p.Status.Conditions = append(p.Status.Conditions, beat{now, string(c.Type)})
	}
	f.patchStatus(ctx, n, p, intended, cork, done)
}

// stateOf is what a kubelet sends of a status that has changed: its conditions
// in full.
type stateOf struct {
	Status struct {
		Conditions []corev1.NodeCondition `json:"conditions"`
	} `json:"status"`
}

// state patches a node's status to be that of a healthy one, whatever the
// controllers have made of it meanwhile.
func (f *Fleet) state(ctx context.Context, n *node, intended int64) {
	var p stateOf
	now := metav1.NewTime(time.Now())
	p.Status.Conditions = conditions(now, now)
	f.patchStatus(ctx, n, p, intended, nil, func() {})
}

func (f *Fleet) patchStatus(ctx context.Context, n *node, patch any, intended int64, cork *client.Cork, done func()) {
	body, err := json.Marshal(patch)
	if err != nil {
		f.env.Log.Error("encode a node's status", "error", err)
		done()
		return
	}
	n.send(ctx, n.beats, &client.Request{
		Method: http.MethodPatch, Path: "/api/v1/nodes/" + n.name + "/status",
		Body: body, ContentType: client.StrategicPatch, As: n.as,
	}, nil, 0, cork, func(a client.Answer) {
		a.Record(f.series.status, intended)
		done()
	})
}
