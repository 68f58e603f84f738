// Package fleet simulates nodes as an API server sees them. Each has a kubelet
// that registers, renews its lease, reports its status, watches what a kubelet
// watches, and takes the pods bound to it through their life; and a kube-proxy
// that watches what a kube-proxy watches. Nothing runs on them.
//
// A node is some kilobytes and no goroutine: its watches are reflectors, which
// the goroutine that reads their connection feeds; what it has to do next is on
// one agenda; the heartbeats of all nodes come from one pacer. Requests are made
// as in production, by system:node:NAME of the group system:nodes and by
// system:kube-proxy, so that the node authorizer, the NodeRestriction admission
// and the priority levels see what they would see there.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"crypto/tls"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/priority"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/agenda"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/reflector"
)

// Config says what the nodes do.
type Config struct {
	Count        int
	Prefix       string         // of the nodes' names: PREFIX-00000 and so on
	Heartbeat    time.Duration  // between two renewals of a node's lease
	StatusReport time.Duration  // between two reports of an unchanged status
	StatusCheck  time.Duration  // between two looks at the status, at which a change is seen
	StatusChange unit.Durations // between two changes of a node's status; 0s: never
	Watches      []string       // what each node watches, by the names in Watches
	Rewatch      unit.Durations // how long a watch lasts until it is begun again
	List         bool           // whether watches begin with a list instead of streaming it
	JSON         bool           // whether watches and lists are in JSON instead of Protobuf
	PerNode      bool           // whether each kubelet has a connection and a certificate of its own
	AsNodes      bool           // whether requests are made as the nodes, or as storm itself
	Apart        bool           // whether the cluster has real nodes, from which these are to be kept apart
	Pods         Pods
	PodLatency   bool          // whether to observe how long pods take to start
	Timeout      time.Duration // deadline of a request
	InFlight     int           // heartbeats that may be in flight at once
}

// Pods says how the pods of the nodes live.
type Pods struct {
	Off        bool           // nobody takes care of them
	Start      unit.Durations // from seeing a pod to its containers running
	Stop       unit.Durations // from seeing a pod's deletion to its containers gone
	Work       unit.Durations // how long the containers of a pod run that is to come to an end, as a Job's
	Life       unit.Durations // how long other containers run before one may crash
	Crash      float64        // share of the lives that end in a crash
	Events     bool           // whether the kubelets write Events
	Tokens     bool           // whether they request the pods' tokens
	References bool           // whether they watch the Secrets and ConfigMaps that pods name
}

// Env is what a fleet works with.
type Env struct {
	Workload string
	REST     *rest.Config
	// Issue makes the nodes' certificates; needed for PerNode alone.
	Issue    func(user string, groups ...string) (tls.Certificate, error)
	Recorder *measure.Recorder
	Clock    *measure.Clock
	Seed     int64
	Labels   map[string]string // for everything that the fleet makes
	Log      *slog.Logger
}

// Fleet is the simulated nodes. Call Up or Register, then Run, then Close.
type Fleet struct {
	cfg    Config
	env    Env
	nodes  []*node
	series series
	kinds  []*watched // what is watched, with what the reflectors of each kind share
	refs   [2]*watched

	// Heartbeats have connections of their own, as in a kubelet, so that a
	// flood of pods does not hold them up.
	heartbeats *client.Client
	kubelets   *client.Client // shared by all kubelets, unless each has its own
	proxies    *client.Client
	agenda     *agenda.Agenda
	observer   *observer

	version string // of the API server: the kubelets say that they are of the same

	turn     sync.Mutex // to be admitted; guards admitted
	admitted int        // watches of the nodes that were

	// cues is held while nodes are stopped or begun on cue; it guards up.
	cues sync.Mutex
	up   bool // all nodes have begun, and the end has not

	end    context.CancelFunc // of what runs in the background
	alive  sync.WaitGroup
	beats  sync.WaitGroup // heartbeats under way
	made   atomic.Int64   // Nodes that are there
	leased atomic.Int64   // nodes that have had a lease
	told   atomic.Int64   // nodes that have told their status as they started, or given that up
}

// New makes the fleet's nodes; it asks nothing of the server yet.
func New(cfg Config, env Env) *Fleet {
	f := &Fleet{cfg: cfg, env: env, series: newSeries(env), agenda: agenda.New(env.Clock, atOnce)}
	f.kinds = f.watchKinds()
	f.refs = f.referenceKinds()
	f.nodes = make([]*node, cfg.Count)
	for i := range f.nodes {
		f.nodes[i] = f.newNode(i)
	}
	return f
}

// atOnce bounds the requests of the nodes in flight, heartbeats excepted: a
// thousand is what the largest API servers take at a time.
const atOnce = 1000

// connect opens the fleet's connections, but those of every node's own.
func (f *Fleet) connect() error {
	for _, c := range []**client.Client{&f.heartbeats, &f.kubelets, &f.proxies} {
		var err error
		if *c, err = client.New(f.env.REST, f.env.Clock, f.cfg.Timeout); err != nil {
			return err
		}
	}
	if !f.cfg.PerNode {
		for _, n := range f.nodes {
			n.beats, n.calls = f.heartbeats, f.kubelets
		}
		return nil
	}
	if f.env.Issue == nil {
		return errors.New("connections of every node's own need certificates, and storm does not have this cluster's authority: write connections: shared")
	}
	cert, err := f.env.Issue(proxyUser.Name, proxyUser.Groups...)
	if err != nil {
		return err
	}
	f.proxies.Close()
	f.proxies = f.kubelets.As(cert, f.env.REST.UserAgent)
	return nil
}

// equip gives a node its own certificate, where every node has one. To sign it takes
// a millisecond.
func (f *Fleet) equip(n *node) error {
	if !f.cfg.PerNode {
		return nil
	}
	cert, err := f.env.Issue(n.user.Name, n.user.Groups...)
	if err == nil {
		n.calls = f.kubelets.As(cert, f.env.REST.UserAgent)
		n.beats = n.calls
	}
	return err
}

// Up brings every node up as it comes in production: its kubelet registers it and
// starts at once, or the controllers would find the first nodes dead before the last
// have started. It returns when all watches have seen everything that was there, and
// every node has its CSINode and its lease and has told its status. The heartbeats go
// on until the fleet is closed. progress is told how many of how many watches are up;
// it may be nil.
func (f *Fleet) Up(ctx context.Context, progress func(done, total int)) error {
	if err := f.meet(ctx); err != nil {
		return err
	}
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	f.end = end
	f.alive.Go(func() { f.agenda.Run(background) })
	f.alive.Go(func() { f.cycle(background, 1, f.cfg.Heartbeat, f.renew, f.series.leaseUpdate, f.series.renewal) })
	f.alive.Go(func() { f.statuses(background) })
	if f.cfg.PodLatency {
		f.observer = newObserver(f)
		f.observer.reflector.Start(f.env.Clock.Now())
	}
	joining, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	joined := make(chan error, 1)
	f.alive.Go(func() {
		joined <- f.each(joining, func(ctx context.Context, n *node) error { return f.join(ctx, background, n) })
	})
	total := len(f.nodes) * len(f.kinds)
	if err := f.await(joined, giveUp, total, progress); err != nil {
		return err
	}
	if err := reflector.Await(ctx, total, "watches", f.came, progress); err != nil {
		return err
	}
	if err := reflector.Await(ctx, len(f.nodes), "leases", func() int { return int(f.leased.Load()) }, nil); err != nil {
		return err
	}
	if err := reflector.Await(ctx, len(f.nodes), "first statuses", func() int { return int(f.told.Load()) }, nil); err != nil {
		if ctx.Err() != nil {
			return err
		}
		f.env.Log.Warn("nodes come up without having told their statuses", "workload", f.env.Workload, "error", err)
	}
	// What the coming up has left is more than what the watches need from here on.
	debug.FreeOSMemory()
	if err := priority.ForgetStart(); err != nil {
		f.env.Log.Debug("what storm's start has read stays in its memory", "error", err)
	}
	f.takesCues(true)
	return nil
}

// await waits until all nodes have joined, and tells of the progress. It gives them up
// when no further watch comes up for long.
func (f *Fleet) await(joined <-chan error, giveUp context.CancelCauseFunc, total int, progress func(done, total int)) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	came := f.came
	if total == 0 {
		came = f.steps
	}
	for most, since := -1, time.Now(); ; {
		select {
		case err := <-joined:
			return err
		case <-ticker.C:
		}
		if n := came(); n > most {
			most, since = n, time.Now()
		} else if time.Since(since) > upPatience {
			giveUp(fmt.Errorf("%d of %d watches are up, and for %s no further one came: see the API server's log", f.came(), total, upPatience))
		}
		if progress != nil {
			progress(f.came(), total)
		}
	}
}

// start starts a node that is registered.
func (f *Fleet) start(background context.Context, n *node) {
	n.connect()
	at := f.env.Clock.Now()
	n.begin(at, true)
	n.begun.Store(true)
	// A kubelet renews its lease and reports its status as it starts, and at its own
	// pace from then on.
	f.beats.Add(2)
	f.renew(background, n, at, nil, f.beats.Done)
	f.report(background, n, at, nil, func() {
		f.told.Add(1)
		f.beats.Done()
	})
}

// ahead is how many watches may be coming up at once: enough to keep the server
// at work, and fewer than what priority and fairness has room for in the queues
// of kube-proxy's one user, which turns the rest away.
const ahead = 200

// How long nothing may come up before the next node is admitted all the same, and
// before all are given up.
const (
	startPatience = 5 * time.Second
	upPatience    = 2 * patience // a node that cannot be registered says why before
)

// admit waits until of the watches of the nodes admitted before few are still
// coming up: a fleet that starts is no herd, unless a scenario asks for one.
func (f *Fleet) admit(ctx context.Context) error {
	f.turn.Lock()
	defer f.turn.Unlock()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for most, since := f.came(), time.Now(); ; {
		n := f.came()
		if n > most {
			most, since = n, time.Now()
		}
		if f.admitted-n <= ahead || time.Since(since) > startPatience {
			f.admitted += len(f.kinds)
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// steps counts what only goes on while nodes come up.
func (f *Fleet) steps() int { return f.came() + int(f.made.Load()+f.leased.Load()) }

// came returns how many watches of the nodes have seen everything that was there.
func (f *Fleet) came() int {
	n := 0
	for _, k := range f.kinds {
		n += int(k.shared.Counts.Came.Load())
	}
	return n
}

// Run leaves the nodes to their load until ctx ends. It returns when everything
// has stopped; failed requests are no error but data.
func (f *Fleet) Run(ctx context.Context) {
	<-ctx.Done()
	f.Close()
}

// Close ends everything that the fleet has open. It may be called twice.
func (f *Fleet) Close() {
	f.takesCues(false)
	for _, k := range append(f.kinds, f.refs[:]...) {
		k.shared.End()
	}
	watching := false
	if f.observer != nil {
		watching = f.observer.reflector.Open()
		f.observer.reflector.Shared.End()
	}
	if f.end != nil {
		f.end()
	}
	f.alive.Wait()
	cut := uint64(0)
	hangUp := func(c *client.Client) { // which ends what is under way on it
		if c != nil {
			c.Close()
			cut += c.Cut() // what that has ended included
		}
	}
	if f.cfg.PerNode {
		for _, n := range f.nodes {
			hangUp(n.calls)
		}
	}
	hangUp(f.heartbeats)
	hangUp(f.kubelets)
	hangUp(f.proxies)
	f.beats.Wait() // until then they ask for the connections
	f.settle(f.env.Clock.Now())
	f.heartbeats, f.kubelets, f.proxies = nil, nil, nil
	if f.cfg.PerNode {
		for _, n := range f.nodes {
			n.calls, n.beats = nil, nil
		}
	}
	if watching { // what a broken watch has not shown may be over
		f.observer.settle(f.env.Clock.Now())
	}
	if cut > 0 {
		f.env.Log.Debug("requests cut off by the end of the load", "workload", f.env.Workload, "cut", cut)
	}
}
