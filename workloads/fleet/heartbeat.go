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

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

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
func (f *Fleet) cycle(ctx context.Context, salt uint64, period time.Duration, begin beginning, refused ...*measure.Series) {
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
		for _, r := range refused {
			r.Record(s.Intended, s.Intended, s.Intended, measure.CodeRefused, 0)
		}
	}, cork.Flush)
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
func (f *Fleet) report(ctx context.Context, n *node, intended int64, done func()) {
	f.reportWith(ctx, n, intended, nil, done)
}

// reportWith patches a node's status with the images that it holds now, or nil.
func (f *Fleet) reportWith(ctx context.Context, n *node, intended int64, images []corev1.ContainerImage, done func()) {
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
	f.patchStatus(ctx, n, p, intended, done)
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
	f.beats.Add(1)
	f.patchStatus(ctx, n, p, intended, f.beats.Done)
}

// statusTries is how often a kubelet tries to tell its node's status before it
// waits for the next time, as in its updateNodeStatus.
const statusTries = 5

func (f *Fleet) patchStatus(ctx context.Context, n *node, patch any, intended int64, done func()) {
	body, err := json.Marshal(patch)
	if err != nil {
		f.env.Log.Error("encode a node's status", "error", err)
		done()
		return
	}
	f.tryStatus(ctx, n, &client.Request{
		Method: http.MethodPatch, Path: nodesPath + "/" + n.name + "/status", Body: body, ContentType: client.StrategicPatch, As: n.as,
	}, 1, intended, done)
}

// tryStatus sends a node's status. The first time a kubelet goes by what its
// watch has shown it of its Node; from the second on it reads that first.
func (f *Fleet) tryStatus(ctx context.Context, n *node, req *client.Request, try int, intended int64, done func()) {
	next := func(a client.Answer) {
		wait := a.Wait()
		switch {
		case a.OK(), a.Cut, wait == 0 && try == statusTries:
			done()
			return
		case wait > 0: // client-go repeats the request by itself: that is no further try
			done()
			f.agenda.Add(a.Done+int64(wait), func(ctx context.Context, at int64) {
				f.beats.Add(1)
				f.tryStatus(ctx, n, req, try, at, f.beats.Done)
			})
			return
		}
		f.tryStatus(ctx, n, req, try+1, a.Done, done)
	}
	patch := func(intended int64) {
		n.send(ctx, n.beats, req, nil, 0, nil, func(a client.Answer) {
			a.Record(f.series.status, intended)
			next(a)
		})
	}
	if try == 1 {
		patch(intended)
		return
	}
	n.send(ctx, n.beats, get(nodesPath+"/"+n.name, n.as), nil, 0, nil, func(a client.Answer) {
		a.Record(f.series.nodeGet, intended)
		if !a.OK() {
			next(a)
			return
		}
		patch(a.Done)
	})
}
