package fleet

import (
	"bytes"
	"context"
	"math"
	"net/http"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

const leasePath = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"

// graceSeconds is the least time without a renewal after which a controller manager finds
// a node's state unknown (--node-monitor-grace-period: 40 s, and 50 s from v1.32 on).
const graceSeconds = 40

// How a kubelet goes on about a lease that it could not renew, as in
// k8s.io/component-helpers/apimachinery/lease: so many updates one after the
// other; then it asks for the lease, and makes it where there is none, with
// pauses that double; and once it has it, the updates again.
const (
	updateTries    = 5
	firstLeaseRest = 200 * time.Millisecond
	lastLeaseRest  = 7 * time.Second
)

// renewal is one heartbeat of a node's, with all the requests that it takes.
type renewal struct {
	node     *node
	intended int64
	turn     int64         // when it was its turn: when it was due, or the one before was over
	due      int64         // when its next request is due: after the one before
	tries    int           // updates that failed one after the other
	asked    bool          // the lease was asked for: these are its last
	rest     time.Duration // how long it rested last
	code     string        // what its last request failed with
	done     func()
}

// record counts a request of the renewal. The first counts from the heartbeat's
// intended time on, and what it waited for the renewal before was the server's
// time and no lateness of the generator's; the others from the end of the one
// before.
func (r *renewal) record(s *measure.Series, a client.Answer) {
	counted := a
	if r.due == r.intended && r.turn > r.intended {
		counted.Sent = r.intended
	}
	counted.Record(s, r.due)
	r.due = a.Done
}

// renew renews a node's lease. Like a kubelet, the node sends the lease with
// the resourceVersion that it got last; where that is refused as outdated it
// asks for the lease first, and where the lease is gone, makes it anew. What
// fails is tried again as a kubelet does it, until the next heartbeat is due:
// that goes on where this one was, which has failed. A heartbeat that is due
// while a request of the one before is under way comes after it.
//
// Each request counts by itself, and each heartbeat once, as a renewal, from its
// intended time on until the server has renewed the lease.
func (f *Fleet) renew(ctx context.Context, n *node, intended int64, cork *client.Cork, done func()) {
	if n.silent.Load() || !n.begun.Load() {
		done()
		return
	}
	r := &renewal{node: n, intended: intended, due: intended, done: done}
	n.mu.Lock()
	before, first := n.resting, !n.renewing
	switch {
	case before != nil:
		r.goOn(before)
		n.resting = r
	case !first:
		n.waiting = append(n.waiting, r)
	default:
		n.renewing = true
		r.turn = intended
	}
	n.mu.Unlock()
	switch {
	case before != nil:
		f.failed(before, intended)
		done() // it waits for no answer
	case first:
		f.beat(ctx, r, cork)
	}
}

// goOn has a renewal go on where the one before it was when it failed.
func (r *renewal) goOn(before *renewal) {
	r.tries, r.asked, r.rest, r.code = before.tries, before.asked, before.rest, before.code
}

// failed counts a renewal that the next one has taken the place of.
func (f *Fleet) failed(r *renewal, at int64) {
	f.series.renewal.Record(r.intended, r.intended, at, r.code, 0)
}

// beat makes the next request of a renewal; over ends it.
func (f *Fleet) beat(ctx context.Context, r *renewal, cork *client.Cork) {
	n := r.node
	n.mu.Lock()
	known := n.leaseVersion != ""
	n.mu.Unlock()
	if known {
		f.update(ctx, r, cork)
		return
	}
	r.asked = r.asked || r.tries == 0 // after a conflict it is but one of the tries
	f.leaseCall(ctx, n, get(leasePath+"/"+n.name, n.as), cork, func(a client.Answer) {
		counted := a
		if a.Status == http.StatusNotFound && !f.hadLease(n) {
			counted.Code = "" // the answer that a kubelet expects that is new
		}
		r.record(f.series.leaseGet, counted)
		switch {
		case a.OK():
			r.rest = 0
			f.update(ctx, r, nil)
		case a.Status == http.StatusNotFound:
			f.create(ctx, r)
		default:
			f.pause(ctx, r, a)
		}
	})
}

// update sends the lease as it is now.
func (f *Fleet) update(ctx context.Context, r *renewal, cork *client.Cork) {
	n := r.node
	body, err := f.leaseBody(n)
	if err != nil {
		f.over(ctx, r, client.Answer{Cut: true})
		return
	}
	req := &client.Request{Method: http.MethodPut, Path: leasePath + "/" + n.name, Body: body, ContentType: client.Protobuf, As: n.as}
	f.leaseCall(ctx, n, req, cork, func(a client.Answer) {
		r.record(f.series.leaseUpdate, a)
		if a.Wait() > 0 { // client-go repeats the request by itself: that is no further try
			f.pause(ctx, r, a)
			return
		}
		r.tries++
		last := r.tries == updateTries && r.asked // until the next heartbeat
		switch {
		case a.OK():
			f.renewed(n, a.Done)
		case last:
			r.tries, r.asked = 0, false
		case r.tries == updateTries:
			r.tries, r.asked = 0, true
			n.forgetLease()
		}
		if a.OK() || a.Cut || last || f.waited(n) {
			f.over(ctx, r, a)
			return
		}
		f.beat(ctx, r, nil)
	})
}

// create makes a lease that is gone anew.
func (f *Fleet) create(ctx context.Context, r *renewal) {
	n := r.node
	body, err := f.leaseBody(n)
	if err != nil {
		f.over(ctx, r, client.Answer{Cut: true})
		return
	}
	req := &client.Request{Method: http.MethodPost, Path: leasePath, Body: body, ContentType: client.Protobuf, As: n.as}
	f.leaseCall(ctx, n, req, nil, func(a client.Answer) {
		r.record(f.series.leaseCreate, a)
		switch {
		case !a.OK():
			f.pause(ctx, r, a)
		case r.tries > 0:
			f.renewed(n, a.Done)
			f.update(ctx, r, nil) // it goes on trying what met a conflict
		default:
			f.renewed(n, a.Done)
			f.over(ctx, r, a)
		}
	})
}

// pause has a renewal rest before it asks again: for as long as the server says, or
// else longer each time. It counts as no request under way meanwhile.
func (f *Fleet) pause(ctx context.Context, r *renewal, a client.Answer) {
	n := r.node
	if a.Cut {
		f.over(ctx, r, a)
		return
	}
	r.code = a.Code
	wait := a.Wait()
	if wait == 0 {
		r.rest = min(max(2*r.rest, firstLeaseRest), lastLeaseRest)
		wait = r.rest
	}
	n.mu.Lock()
	took := []*renewal{r} // each the place of the one before: they were due meanwhile
	for _, next := range n.waiting {
		next.goOn(took[len(took)-1])
		took = append(took, next)
	}
	n.waiting = nil
	n.resting = took[len(took)-1]
	n.rest++
	id, until := n.rest, a.Done+int64(wait)
	n.mu.Unlock()
	// From here on the one that rests is another's, done excepted.
	for _, gone := range took[:len(took)-1] {
		f.failed(gone, a.Done)
		gone.done()
	}
	took[len(took)-1].done()
	f.agenda.Add(until, func(ctx context.Context, at int64) {
		n.mu.Lock()
		r := n.resting // by now it may be the next heartbeat's
		if r == nil || n.rest != id {
			n.mu.Unlock()
			return // its kubelet has been stopped
		}
		n.resting = nil
		n.mu.Unlock()
		f.beats.Add(1)
		r.turn, r.due, r.done = at, max(at, r.due), f.beats.Done
		f.beat(ctx, r, nil)
	})
}

// over ends a renewal with the answer to its last request, and begins the one
// that waited for it.
func (f *Fleet) over(ctx context.Context, r *renewal, a client.Answer) {
	n := r.node
	a.Bare().Record(f.series.renewal, r.intended)
	n.mu.Lock()
	var next *renewal
	if n.renewing = len(n.waiting) > 0; n.renewing {
		next = n.waiting[0]
		n.waiting = n.waiting[1:]
	}
	n.mu.Unlock()
	if next != nil && !a.OK() && !a.Cut {
		r.code = a.Code
		next.goOn(r)
	}
	r.done()
	if next != nil {
		next.turn = f.env.Clock.Now()
		f.beat(ctx, next, nil)
	}
}

// waited says whether another heartbeat of the node waits for the one under way.
func (f *Fleet) waited(n *node) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.waiting) > 0
}

// settle counts the renewals that rest when the load ends, if they have done so
// for long.
func (f *Fleet) settle(now int64) {
	for _, n := range f.nodes {
		if r := n.rests(); r != nil {
			client.Unsent(now, f.cfg.Timeout).Record(f.series.renewal, r.intended)
		}
	}
}

// rests returns the renewal of the node that rests, if one does, and ends its rest.
func (n *node) rests() *renewal {
	n.mu.Lock()
	defer n.mu.Unlock()
	r := n.resting
	if r != nil {
		n.resting, n.renewing = nil, false
	}
	return r
}

// forgetLease has the node ask for its lease before it renews it.
func (n *node) forgetLease() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.leaseVersion = ""
}

// hadLease says whether the node has had a lease since it was begun.
func (f *Fleet) hadLease(n *node) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.renewed != 0
}

// renewed notes that the lease was made or renewed. Where it had been waited for longer
// than controllers do, they may have found the node's state
// unknown, which its kubelet sees at its next look at its own Node, and says
// how it is.
func (f *Fleet) renewed(n *node, at int64) {
	n.mu.Lock()
	first, before := n.renewed == 0, n.renewed
	if first {
		before = n.awaited
	}
	long := at-before > graceSeconds*int64(time.Second)
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
		case http.StatusOK, http.StatusCreated, http.StatusConflict:
			n.mu.Lock()
			n.leaseVersion = meta.ResourceVersion
			n.mu.Unlock()
		default: // it may have been done or not: if it was, the next is refused as outdated
		}
		then(a)
	})
}

// leaseSeconds is how long a lease says that it lasts: a kubelet renews after a quarter
// of that (nodeLeaseDurationSeconds, 40 by default).
func leaseSeconds(heartbeat time.Duration) int32 {
	return int32(min(math.MaxInt32, max(1, math.Ceil(4*heartbeat.Seconds()))))
}

// leaseBody is the node's lease as it is renewed now.
func (f *Fleet) leaseBody(n *node) ([]byte, error) {
	now := metav1.NowMicro()
	seconds := leaseSeconds(f.cfg.Heartbeat)
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
