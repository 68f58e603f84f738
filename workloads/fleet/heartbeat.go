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

// cycle does something for every node once a period, each node at a phase of
// its own, as nodes that were started at different times do.
func (f *Fleet) cycle(ctx context.Context, salt uint64, period time.Duration, do func(context.Context, *node, int64), refused *measure.Series) {
	rng := rand.New(rand.NewPCG(uint64(f.env.Seed), salt))
	phases := make([]int64, len(f.nodes))
	for i := range phases {
		phases[i] = rng.Int64N(max(int64(period)/grid, 1)) * grid
	}
	slices.Sort(phases)
	order := rng.Perm(len(f.nodes))
	p := pace.Pacer{Clock: f.env.Clock, Schedule: pace.Cycle(period, phases), InFlight: f.cfg.InFlight}
	p.Run(ctx, func(ctx context.Context, s pace.Slot) {
		do(ctx, f.nodes[order[s.N%uint64(len(order))]], s.Intended)
	}, func(s pace.Slot) {
		refused.Record(s.Intended, s.Intended, s.Intended, measure.CodeRefused, 0)
	})
}

// renew renews a node's lease. Like a kubelet, the node sends the lease with
// the resourceVersion that it got last; where that was refused as outdated, or
// the outcome is unknown, it asks for the lease the next time, and where the
// lease is gone, makes it anew. Each of these requests counts by itself; a
// failed one is not repeated before the next heartbeat.
func (f *Fleet) renew(ctx context.Context, n *node, intended int64) {
	if n.silent.Load() {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	reply := replies.Get().(*bytes.Buffer)
	defer replies.Put(reply)

	if n.leaseVersion == "" {
		a := f.leaseCall(ctx, n, get(leasePath+"/"+n.name, n.as), reply)
		a.Record(f.series.leaseGet, intended)
		switch {
		case a.Status == http.StatusNotFound:
			if body, err := f.leaseBody(n); err == nil {
				req := &client.Request{Method: http.MethodPost, Path: leasePath, Body: body, ContentType: client.Protobuf, As: n.as}
				f.leaseCall(ctx, n, req, reply).Record(f.series.leaseCreate, a.Done)
			}
			return
		case !a.OK():
			return
		}
		intended = a.Done
	}
	body, err := f.leaseBody(n)
	if err != nil {
		return
	}
	req := &client.Request{Method: http.MethodPut, Path: leasePath + "/" + n.name, Body: body, ContentType: client.Protobuf, As: n.as}
	a := f.leaseCall(ctx, n, req, reply)
	a.Record(f.series.leaseUpdate, intended)
	if a.OK() {
		f.renewed(n, a.Done)
	}
}

// renewed notes that the lease was renewed. Where that had failed for longer
// than the lease lasts, the controllers may have found the node's state
// unknown, which its kubelet sees at its next look at its own Node, and says
// how it is. The node's lock is held.
func (f *Fleet) renewed(n *node, at int64) {
	if n.renewed != 0 && at-n.renewed > leaseSeconds*int64(time.Second) {
		f.agenda.Add(at, func(ctx context.Context, at int64) { f.state(ctx, n, at) })
	}
	n.renewed = at
}

// leaseCall makes a request about the lease and learns its resourceVersion.
func (f *Fleet) leaseCall(ctx context.Context, n *node, req *client.Request, reply *bytes.Buffer) client.Answer {
	reply.Reset()
	a := n.ask(ctx, n.beats, req, reply, objectSize)
	n.leaseVersion = ""
	if a.OK() {
		meta, err := lean.MetaOf(reply.Bytes())
		if err != nil {
			a.Code = client.CodeMalformed
			return a
		}
		n.leaseVersion = meta.ResourceVersion
	}
	return a
}

// leaseBody is the node's lease as it is renewed now.
func (f *Fleet) leaseBody(n *node) ([]byte, error) {
	now := metav1.NowMicro()
	seconds := int32(leaseSeconds)
	return client.Encode(&coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Name: n.name, Namespace: "kube-node-lease", ResourceVersion: n.leaseVersion, Labels: f.env.Labels,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: n.name, UID: types.UID(n.uid)}},
		},
		Spec: coordinationv1.LeaseSpec{HolderIdentity: &n.name, LeaseDurationSeconds: &seconds, RenewTime: &now},
	})
}

// statusPatch is what a kubelet sends of a status that has not changed: the
// heartbeat times of its conditions.
type statusPatch struct {
	Status struct {
		Order      []orderedType `json:"$setElementOrder/conditions"`
		Conditions []beat        `json:"conditions"`
	} `json:"status"`
}

type orderedType struct {
	Type string `json:"type"`
}

type beat struct {
	LastHeartbeatTime metav1.Time `json:"lastHeartbeatTime"`
	Type              string      `json:"type"`
}

// report patches a node's status.
func (f *Fleet) report(ctx context.Context, n *node, intended int64) {
	if n.silent.Load() {
		return
	}
	var p statusPatch
	now := metav1.NewTime(time.Now())
	for _, c := range conditions(now, now) {
		p.Status.Order = append(p.Status.Order, orderedType{string(c.Type)})
		p.Status.Conditions = append(p.Status.Conditions, beat{now, string(c.Type)})
	}
	f.patchStatus(ctx, n, p, intended)
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
	f.patchStatus(ctx, n, p, intended)
}

func (f *Fleet) patchStatus(ctx context.Context, n *node, patch any, intended int64) {
	body, err := json.Marshal(patch)
	if err != nil {
		f.env.Log.Error("encode a node's status", "error", err)
		return
	}
	n.ask(ctx, n.beats, &client.Request{
		Method: http.MethodPatch, Path: "/api/v1/nodes/" + n.name + "/status",
		Body: body, ContentType: client.StrategicPatch, As: n.as,
	}, nil, 0).Record(f.series.status, intended)
}
