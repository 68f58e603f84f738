package workloads

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/fleet"
	"github.com/storm-harness/storm/workloads/reflector"
)

// Nodes is the load of simulated nodes: package fleet has what they do.
type Nodes struct {
	Count        int            `yaml:"count" required:"true" min:"1" max:"100000" doc:"how many nodes"`
	Heartbeat    unit.Duration  `yaml:"heartbeat" min:"100ms" doc:"time between two renewals of a node's lease, which lasts four of them, in whole seconds; 10s by default, as a kubelet's"`
	StatusReport unit.Duration  `yaml:"statusReport" min:"1s" doc:"time between two reports of an unchanged status; 5m by default, as a kubelet's"`
	StatusCheck  unit.Duration  `yaml:"statusCheck" min:"1s" doc:"time between two looks of a node at its status, or statusReport where that is shorter; what has changed is reported at the next; 10s by default, as a kubelet's"`
	StatusChange unit.Durations `yaml:"statusChange" doc:"time between two changes of a node's status, namely of the images that it holds, such as exponential 30m; never by default, as on nodes that pull no images"`
	Watches      []string       `yaml:"watches" doc:"what each node watches: node, pods, services, runtimeClasses, csiDrivers, and as its kube-proxy proxyServices, proxyEndpointSlices, proxyNode, proxyServiceCIDRs; all of them by default, as a real node does"`
	Rewatch      unit.Durations `yaml:"rewatch" doc:"how long a watch lasts until it is ended and begun again, in whole seconds; 5m..10m by default, as client-go asks for"`
	Sync         string         `yaml:"sync" enum:"watchList,list" doc:"how a watch begins: streaming the list within it, as client-go does from 1.35 on, or after a list; watchList by default"`
	Content      string         `yaml:"content" enum:"protobuf,json" doc:"encoding of watches and lists; protobuf by default"`
	Connections  string         `yaml:"connections" enum:"shared,perNode,perProcess" doc:"shared: all nodes share connections, their requests are made by impersonation; perNode: each kubelet has a TLS connection and a client certificate of its own, the kube-proxies share theirs; perProcess: each kube-proxy has a TLS connection of its own too; shared by default"`
	Identity     string         `yaml:"identity" enum:"node,storm" doc:"whether requests are made as system:node:NAME and system:kube-proxy, or as storm's own user; node by default"`
	Pods         NodePods       `yaml:"pods" doc:"how the pods on the nodes live"`
	PodLatency   bool           `yaml:"podLatency" doc:"whether to observe by one more watch how long pods take to be scheduled and to run; true by default"`
	InFlight     int            `yaml:"inFlight" min:"1" max:"100000" doc:"heartbeats that may be in flight at once; beyond it one is refused at its intended time and counts as failed"`
	Timeout      unit.Duration  `yaml:"timeout" min:"1ms" doc:"deadline of a heartbeat's requests, 10s by default, as a kubelet's; whatever else nodes ask for has 60s, as API servers give it, or this where it is longer"`

	fleet *fleet.Fleet // made by Prepare, used up by Run
}

// NodePods says how the pods on simulated nodes live.
type NodePods struct {
	Off        bool           `yaml:"off" doc:"nobody takes care of pods: they stay Pending"`
	Start      unit.Durations `yaml:"start" doc:"time that a pod's containers take to start; 1s by default"`
	Stop       unit.Durations `yaml:"stop" doc:"time that a deleted pod's containers take to stop; 1s by default"`
	Work       unit.Durations `yaml:"work" doc:"how long the containers of a pod run that is to come to an end, as a Job's; 5s by default"`
	Life       unit.Durations `yaml:"life" doc:"how long other containers run before each chance of a crash; 5m by default"`
	Crash      unit.Percent   `yaml:"crash" doc:"share of these lives that end in a crash and a back-off; none by default"`
	Events     bool           `yaml:"events" doc:"whether kubelets write Events as a pod is pulled, started, crashes, stops; true by default"`
	Tokens     bool           `yaml:"tokens" doc:"whether kubelets request the service account tokens of pods; true by default"`
	References bool           `yaml:"references" doc:"whether kubelets watch each Secret and ConfigMap that a pod of theirs names; true by default"`
}

func newNodes() Workload {
	return &Nodes{
		Heartbeat: unit.Duration(10 * time.Second), StatusReport: unit.Duration(5 * time.Minute), StatusCheck: unit.Duration(10 * time.Second),
		Watches: fleet.Watches(), Rewatch: reflector.DefaultRewatch(), Sync: "watchList", Content: "protobuf", Connections: "shared", Identity: "node",
		Pods: NodePods{
			Start: unit.OneDuration(time.Second), Stop: unit.OneDuration(time.Second),
			Work: unit.OneDuration(5 * time.Second), Life: unit.OneDuration(5 * time.Minute),
			Events: true, Tokens: true, References: true,
		},
		PodLatency: true, InFlight: 5000, Timeout: unit.Duration(client.DefaultTimeout),
	}
}

// maxNodes is beyond what any control plane is known to bear.
const maxNodes = 100_000

// streamsPerConnection is the API server's default limit; a client opens a
// connection for every so many watches.
const streamsPerConnection = 100

// Check implements Workload.
func (n *Nodes) Check() []string {
	return n.check(openFiles())
}

// check checks the fields, given how many files may be open.
func (n *Nodes) check(files uint64) []string {
	var problems []string
	switch {
	case n.Count < 1:
		problems = append(problems, "count: must be 1 or more")
	case n.Count > maxNodes:
		problems = append(problems, fmt.Sprintf("count: %d is above the limit of %d", n.Count, maxNodes))
	case n.files() > files:
		problems = append(problems, tooManyFiles(fmt.Sprintf("count: %d nodes", n.Count), n.files(), files))
	}
	if n.Heartbeat.D() < 100*time.Millisecond {
		problems = append(problems, fmt.Sprintf("heartbeat: %s is below the limit of 100ms", n.Heartbeat))
	}
	if n.StatusReport.D() < time.Second {
		problems = append(problems, fmt.Sprintf("statusReport: %s is below the limit of 1s", n.StatusReport))
	}
	if n.StatusCheck.D() < time.Second {
		problems = append(problems, fmt.Sprintf("statusCheck: %s is below the limit of 1s", n.StatusCheck))
	}
	if typical := n.StatusChange.At(.5); n.changes() && typical < time.Second {
		problems = append(problems, fmt.Sprintf("statusChange: %s is below the limit of 1s", n.StatusChange))
	}
	if typical := n.Rewatch.At(.5); typical < time.Second {
		problems = append(problems, fmt.Sprintf("rewatch: %s is below the limit of 1s", n.Rewatch))
	}
	for i, w := range n.Watches {
		if !slices.Contains(fleet.Watches(), w) {
			problems = append(problems, fmt.Sprintf("watches[%d]: %q is not one of %s", i, w, strings.Join(fleet.Watches(), ", ")))
		}
		if slices.Contains(n.Watches[:i], w) {
			problems = append(problems, fmt.Sprintf("watches[%d]: %q is there twice", i, w))
		}
	}
	if n.Pods.Crash > 1 {
		problems = append(problems, fmt.Sprintf("pods.crash: %s is above 100%%", n.Pods.Crash))
	}
	if typical := n.Pods.Life.At(.5); n.Pods.Crash > 0 && typical < time.Second {
		problems = append(problems, fmt.Sprintf("pods.life: %s is below the limit of 1s", n.Pods.Life))
	}
	if n.Sync != "watchList" && n.Sync != "list" {
		problems = append(problems, fmt.Sprintf("sync: %q is not one of watchList, list", n.Sync))
	}
	problems = append(problems, checkContent(n.Content)...)
	switch {
	case n.Connections != "shared" && !n.own():
		problems = append(problems, fmt.Sprintf("connections: %q is not one of shared, perNode, perProcess", n.Connections))
	case n.own() && n.Identity != "node":
		problems = append(problems, fmt.Sprintf("connections: a certificate of every node's own is its identity: %s goes with identity: node", n.Connections))
	}
	if n.Identity != "node" && n.Identity != "storm" {
		problems = append(problems, fmt.Sprintf("identity: %q is not one of node, storm", n.Identity))
	}
	if n.InFlight < 1 || n.InFlight > maxInFlight {
		problems = append(problems, fmt.Sprintf("inFlight: %d is not between 1 and %d", n.InFlight, maxInFlight))
	}
	return append(problems, checkTimeout(n.Timeout)...)
}

// Sockets implements Connected.
func (n *Nodes) Sockets() uint64 {
	connections := n.InFlight / streamsPerConnection
	watches := n.Count * len(n.Watches)
	if n.own() {
		connections += n.Count
	}
	if n.Connections == "perProcess" {
		connections += n.Count
	}
	return uint64(max(connections+watches/streamsPerConnection, 0))
}

// own says whether each node has connections of its own.
func (n *Nodes) own() bool { return n.Connections == "perNode" || n.Connections == "perProcess" }

// files is how many files the fleet may need open: one for every connection.
func (n *Nodes) files() uint64 { return n.Sockets() + filesBeside }

// Describe implements Workload.
func (n *Nodes) Describe() string {
	s := fmt.Sprintf("%s, each renewing its lease every %s, reporting its status every %s", unit.Count(n.Count, "simulated node"), n.Heartbeat, n.StatusReport)
	if n.changes() {
		s += fmt.Sprintf(" or within %s of a change, which comes every %s,", min(n.StatusCheck, n.StatusReport), n.StatusChange)
	}
	switch len(n.Watches) {
	case 0:
		s += " and watching nothing"
	case len(fleet.Watches()):
		s += fmt.Sprintf(" and keeping the %d watches of a kubelet and a kube-proxy", len(n.Watches))
	default:
		s += " and watching " + strings.Join(n.Watches, ", ")
	}
	if slices.Contains(n.Watches, "pods") && !n.Pods.Off {
		s += fmt.Sprintf("; pods run %s after they are bound and are gone %s after they are deleted", n.Pods.Start, n.Pods.Stop)
		if n.Pods.Crash > 0 {
			s += fmt.Sprintf(", and %s of them crash every %s", n.Pods.Crash, n.Pods.Life)
		}
	}
	switch {
	case n.Connections == "perProcess":
		s += "; each node has a certificate, and its kubelet and its kube-proxy have a connection each"
	case n.own():
		s += "; each node has a connection and a certificate of its own"
	case n.Identity == "node":
		s += "; their requests are made as system:node users"
	}
	return s + "."
}

// changes says whether the nodes' status does.
func (n *Nodes) changes() bool { return n.StatusChange.Most() > 0 }

// Needs implements Needy: a certificate of every node's own has to be made.
func (n *Nodes) Needs() []clusters.Capability {
	if n.own() {
		return []clusters.Capability{clusters.CanIssue}
	}
	return nil
}

// Preparing implements Lengthy.
func (n *Nodes) Preparing() time.Duration { return time.Duration(n.Count) * 40 * time.Millisecond }

// Prepare implements Workload: it registers the nodes and brings their watches
// up.
func (n *Nodes) Prepare(ctx context.Context, env *Env) error {
	n.fleet = n.make(env)
	if err := n.fleet.Up(ctx, env.Progress); err != nil {
		return fmt.Errorf("workload %s: %w", env.Name, err)
	}
	return nil
}

// Register makes the nodes' Node objects and nothing else. Call Release then.
func (n *Nodes) Register(ctx context.Context, env *Env) error {
	n.fleet = n.make(env)
	if err := n.fleet.Register(ctx); err != nil {
		return fmt.Errorf("workload %s: %w", env.Name, err)
	}
	return nil
}

// make returns the nodes, of which the server knows nothing yet.
func (n *Nodes) make(env *Env) *fleet.Fleet {
	// What is not asked as a node is asked as the load's service account: an
	// administrator, who is left only where it has none, is exempt from priority
	// and fairness.
	cfg := rest.CopyConfig(cmp.Or(env.REST, env.Admin))
	cfg.UserAgent = userAgent(env.Name)
	p := n.Pods
	return fleet.New(fleet.Config{
		Count: n.Count, Prefix: objectName(env.Name), Heartbeat: n.Heartbeat.D(), StatusReport: n.StatusReport.D(),
		StatusCheck: n.StatusCheck.D(), StatusChange: n.StatusChange,
		Watches: n.Watches, Rewatch: n.Rewatch, List: n.Sync == "list", JSON: n.Content == "json", PerNode: n.own(), PerProxy: n.Connections == "perProcess", AsNodes: n.Identity == "node", Apart: env.Access.RealNodes,
		Pods: fleet.Pods{
			Off: p.Off, Start: p.Start, Stop: p.Stop, Work: p.Work, Life: p.Life, Crash: p.Crash.Fraction(),
			Events: p.Events, Tokens: p.Tokens, References: p.References,
		},
		PodLatency: n.PodLatency, Timeout: n.Timeout.D(), InFlight: n.InFlight,
	}, fleet.Env{
		Workload: env.Name, REST: cfg, Issue: env.Access.Issue, Recorder: env.Recorder, Clock: env.Clock, Seed: env.Seed,
		Labels: map[string]string{RunLabel: env.RunID}, Log: env.Log,
	})
}

// Release implements Releaser.
func (n *Nodes) Release() {
	if n.fleet != nil {
		n.fleet.Close()
		n.fleet = nil
	}
}

// Run implements Workload.
func (n *Nodes) Run(ctx context.Context, env *Env) error {
	if n.fleet == nil {
		return errors.New("workload " + env.Name + ": its nodes are not registered: call Prepare first")
	}
	n.fleet.Run(ctx)
	return nil
}
