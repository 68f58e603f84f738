// Package fleet simulates nodes as an API server sees them: each has a Node
// and a Lease that it renews, reports its status, watches its own pods, and
// takes the pods bound to it through their life. Nothing runs on them.
//
// A node is a few hundred bytes and, while it watches its pods, one waiting
// goroutine; the heartbeats of all nodes come from one pacer. Requests are the
// node's own, as user system:node:NAME in group system:nodes, by impersonation
// over shared connections, so that the node authorizer, the NodeRestriction
// admission and the priority levels see what they would see in production.
package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/pace"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
)

// Config says what the nodes do.
type Config struct {
	Count        int
	Prefix       string        // of the nodes' names: PREFIX-00000 and so on
	Heartbeat    time.Duration // between two renewals of a node's lease
	StatusReport time.Duration // between two reports of an unchanged status
	PodWatch     bool          // whether nodes watch their pods and take care of them
	PodStart     time.Duration // from seeing a pod to its containers running
	PodStop      time.Duration // from seeing a pod's deletion to its containers gone
	PodLatency   bool          // whether to observe how long pods take to start
	AsNodes      bool          // whether requests are made as the nodes, or as storm itself
	Timeout      time.Duration // deadline of a request
	InFlight     int           // heartbeats that may be in flight at once
}

// Env is what a fleet works with.
type Env struct {
	Workload string
	REST     *rest.Config
	Recorder *measure.Recorder
	Clock    *measure.Clock
	Seed     int64
	Labels   map[string]string // for everything that the fleet makes
	Log      *slog.Logger
}

// Fleet is the simulated nodes.
type Fleet struct {
	cfg   Config
	env   Env
	nodes []*node
	// Heartbeats have connections of their own, as in a kubelet, so that a
	// flood of pods does not hold them up.
	heartbeats *client.Client
	pods       *client.Client
	series     series
}

// series is where the fleet's requests are counted.
type series struct {
	leaseUpdate, leaseGet, leaseCreate *measure.Series
	status                             *measure.Series
	podList, podWatch                  *measure.Series
	podStatus, podDelete               *measure.Series
}

// New makes the fleet's nodes; it asks nothing of the server yet.
func New(cfg Config, env Env) *Fleet {
	f := &Fleet{cfg: cfg, env: env}
	f.nodes = make([]*node, cfg.Count)
	for i := range f.nodes {
		f.nodes[i] = newNode(cfg.Prefix, i, cfg.AsNodes)
	}
	of := func(verb, resource, scope, detail string) *measure.Series {
		return env.Recorder.Series(rundir.Key{Workload: env.Workload, Verb: verb, Resource: resource, Scope: scope, Detail: detail})
	}
	const leases = "leases.coordination.k8s.io"
	f.series = series{
		leaseUpdate: of("update", leases, "resource", ""),
		leaseGet:    of("get", leases, "resource", ""),
		leaseCreate: of("create", leases, "resource", ""),
		status:      of("patch", "nodes/status", "resource", ""),
		podList:     of("list", "pods", "cluster", "rv0"),
		podWatch:    of("watch", "pods", "cluster", ""),
		podStatus:   of("patch", "pods/status", "resource", ""),
		podDelete:   of("delete", "pods", "resource", ""),
	}
	return f
}

// connect opens the fleet's connections; the returned function closes them.
func (f *Fleet) connect() (func(), error) {
	var err error
	if f.heartbeats, err = client.New(f.env.REST, f.env.Clock, f.cfg.Timeout); err != nil {
		return nil, err
	}
	if f.pods, err = client.New(f.env.REST, f.env.Clock, f.cfg.Timeout); err != nil {
		f.heartbeats.Close()
		return nil, err
	}
	return func() {
		if n := f.heartbeats.Cut() + f.pods.Cut(); n > 0 {
			f.env.Log.Debug("requests cut off by the end of the load", "workload", f.env.Workload, "cut", n)
		}
		f.heartbeats.Close()
		f.pods.Close()
	}, nil
}

// registrars is how many nodes register at once.
const registrars = 32

// Register makes every node's Node and Lease. What is there already stays.
func (f *Fleet) Register(ctx context.Context) error {
	disconnect, err := f.connect()
	if err != nil {
		return err
	}
	defer disconnect()
	version, err := f.serverVersion(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan *node)
	var workers sync.WaitGroup
	for range min(registrars, len(f.nodes)) {
		workers.Go(func() {
			for n := range work {
				if err := f.register(ctx, n, version); err != nil {
					cancel(fmt.Errorf("register node %s: %w", n.name, err))
				}
			}
		})
	}
	for _, n := range f.nodes {
		if ctx.Err() != nil {
			break
		}
		work <- n
	}
	close(work)
	workers.Wait()
	return context.Cause(ctx)
}

// Run puts the load of the nodes on until ctx ends. It returns when everything
// has stopped; failed requests are no error but data.
func (f *Fleet) Run(ctx context.Context) error {
	disconnect, err := f.connect()
	if err != nil {
		return err
	}
	defer disconnect()
	var parts sync.WaitGroup
	parts.Go(func() { f.cycle(ctx, 1, f.cfg.Heartbeat, f.renew, f.series.leaseUpdate) })
	parts.Go(func() { f.cycle(ctx, 2, f.cfg.StatusReport, f.report, f.series.status) })
	if f.cfg.PodWatch {
		agenda := newAgenda(f.env.Clock)
		parts.Go(func() { agenda.run(ctx) })
		begin := f.env.Clock.Now()
		for i, n := range f.nodes {
			at := begin + int64(i)*int64(time.Second)/startsPerSecond
			parts.Go(func() { newKubelet(f, n, agenda).run(ctx, at) })
		}
	}
	if f.cfg.PodLatency {
		parts.Go(func() { newObserver(f).run(ctx) })
	}
	parts.Wait()
	return nil
}

// startsPerSecond is how many nodes begin to watch in a second: fast, but no
// herd that no scenario asked for.
const startsPerSecond = 1000

// cycle does something for every node once a period, each node at a phase of
// its own, as nodes that were started at different times do.
func (f *Fleet) cycle(ctx context.Context, salt uint64, period time.Duration, do func(context.Context, *node, int64), refused *measure.Series) {
	rng := rand.New(rand.NewPCG(uint64(f.env.Seed), salt))
	phases := make([]int64, len(f.nodes))
	for i := range phases {
		phases[i] = rng.Int64N(int64(period))
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

// get is a request for one object.
func get(path string, as client.User) *client.Request {
	return &client.Request{Method: http.MethodGet, Path: path, As: as}
}
