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
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"crypto/tls"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/agenda"
	"github.com/storm-harness/storm/workloads/client"
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
	PerProxy     bool           // and whether each kube-proxy has a connection of its own too
	AsNodes      bool           // whether requests are made as the nodes, or as storm itself
	Apart        bool           // whether the cluster has real nodes, from which these are to be kept apart
	Pods         Pods
	PodLatency   bool          // whether to observe how long pods take to start
	Timeout      time.Duration // deadline of a heartbeat's requests, and of the others where it is longer than client.ServerTimeout
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
	patient := max(f.cfg.Timeout, client.ServerTimeout) // kubelets and kube-proxies set no deadline but for heartbeats
	for _, c := range []struct {
		client  **client.Client
		timeout time.Duration
	}{{&f.heartbeats, f.cfg.Timeout}, {&f.kubelets, patient}, {&f.proxies, patient}} {
		var err error
		if *c.client, err = client.New(f.env.REST, f.env.Clock, c.timeout); err != nil {
			return err
		}
	}
	if !f.cfg.PerNode {
		for _, n := range f.nodes {
			n.beats, n.calls, n.proxy = f.heartbeats, f.kubelets, f.proxies
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

// equip gives a node its own certificate, where every node has one; kube-proxies are one
// user, and have one between them. To sign it takes a millisecond.
func (f *Fleet) equip(n *node) error {
	if !f.cfg.PerNode {
		return nil
	}
	cert, err := f.env.Issue(n.user.Name, n.user.Groups...)
	if err == nil {
		n.calls = f.kubelets.As(cert, f.env.REST.UserAgent)
		n.beats, n.proxy = n.calls.Timed(f.heartbeats), f.proxies
		if f.cfg.PerProxy {
			n.proxy = f.proxies.Twin()
		}
	}
	return err
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
			hangUp(n.beats)
			if f.cfg.PerProxy {
				hangUp(n.proxy)
			}
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
			n.calls, n.beats, n.proxy = nil, nil, nil
		}
	}
	if watching { // what a broken watch has not shown may be over
		f.observer.settle(f.env.Clock.Now())
	}
	if cut > 0 {
		f.env.Log.Debug("requests cut off by the end of the load", "workload", f.env.Workload, "cut", cut)
	}
}
