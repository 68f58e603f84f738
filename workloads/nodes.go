package workloads

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/fleet"
)

// Nodes is the load of simulated kubelets: package fleet has what they do.
type Nodes struct {
	Count        int           `yaml:"count" required:"true" min:"1" max:"100000" doc:"how many nodes"`
	Heartbeat    unit.Duration `yaml:"heartbeat" min:"100ms" doc:"time between two renewals of a node's lease; 10s by default, as a kubelet's"`
	StatusReport unit.Duration `yaml:"statusReport" min:"1s" doc:"time between two reports of an unchanged status; 5m by default, as a kubelet's"`
	PodWatch     bool          `yaml:"podWatch" doc:"whether every node watches its pods and takes care of them: they go Running, and are removed when deleted; true by default"`
	PodStart     unit.Duration `yaml:"podStart" doc:"time that a pod's containers take to start; 1s by default"`
	PodStop      unit.Duration `yaml:"podStop" doc:"time that a deleted pod's containers take to stop; 1s by default"`
	PodLatency   bool          `yaml:"podLatency" doc:"whether to observe by one more watch how long pods take to be scheduled and to run; true by default"`
	Identity     string        `yaml:"identity" enum:"node,storm" doc:"whether requests are made as system:node:NAME, by impersonation, or as storm's own user; node by default"`
	InFlight     int           `yaml:"inFlight" min:"1" max:"100000" doc:"heartbeats that may be in flight at once; beyond it one is refused at its intended time and counts as failed"`
	Timeout      unit.Duration `yaml:"timeout" min:"1ms" doc:"deadline of a request, 10s by default"`

	fleet *fleet.Fleet // made by Prepare, used up by Run
}

func newNodes() Workload {
	return &Nodes{
		Heartbeat: unit.Duration(10 * time.Second), StatusReport: unit.Duration(5 * time.Minute),
		PodWatch: true, PodStart: unit.Duration(time.Second), PodStop: unit.Duration(time.Second), PodLatency: true,
		Identity: "node", InFlight: 5000, Timeout: unit.Duration(client.DefaultTimeout),
	}
}

// maxNodes is beyond what any control plane is known to bear.
const maxNodes = 100_000

// streamsPerConnection is the API server's default limit; a client opens a
// connection for every so many watches.
const streamsPerConnection = 100

// filesBeside is what storm needs of open files beside the fleet's connections.
const filesBeside = 256

// Check implements Workload.
func (n *Nodes) Check() []string {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		limit.Cur = 1024
	}
	return n.check(limit.Cur)
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
		problems = append(problems, fmt.Sprintf("count: %d nodes need about %d open files, and this process may open %d: raise the limit (ulimit -n)",
			n.Count, n.files(), files))
	}
	if n.Heartbeat.D() < 100*time.Millisecond {
		problems = append(problems, fmt.Sprintf("heartbeat: %s is below the limit of 100ms", n.Heartbeat))
	}
	if n.StatusReport.D() < time.Second {
		problems = append(problems, fmt.Sprintf("statusReport: %s is below the limit of 1s", n.StatusReport))
	}
	if n.PodStart < 0 {
		problems = append(problems, "podStart: must be 0s or more")
	}
	if n.PodStop < 0 {
		problems = append(problems, "podStop: must be 0s or more")
	}
	if n.Identity != "node" && n.Identity != "storm" {
		problems = append(problems, fmt.Sprintf("identity: %q is not one of node, storm", n.Identity))
	}
	if n.InFlight < 1 || n.InFlight > maxInFlight {
		problems = append(problems, fmt.Sprintf("inFlight: %d is not between 1 and %d", n.InFlight, maxInFlight))
	}
	return append(problems, checkTimeout(n.Timeout)...)
}

// files is how many files the fleet may need open: one for every connection.
func (n *Nodes) files() uint64 {
	streams := n.InFlight
	if n.PodWatch {
		streams += n.Count
	}
	return uint64(streams/streamsPerConnection + filesBeside)
}

// Describe implements Workload.
func (n *Nodes) Describe() string {
	s := fmt.Sprintf("%s, each renewing its lease every %s and reporting its status every %s", unit.Count(n.Count, "simulated node"), n.Heartbeat, n.StatusReport)
	if n.PodWatch {
		s += fmt.Sprintf(", and watching its pods: they run %s after they are bound and are gone %s after they are deleted", n.PodStart, n.PodStop)
	}
	if n.Identity == "node" {
		s += "; their requests are made as system:node users"
	}
	return s + "."
}

// Prepare implements Workload: it registers the nodes.
func (n *Nodes) Prepare(ctx context.Context, env *Env) error {
	cfg := rest.CopyConfig(env.REST)
	cfg.UserAgent = userAgent(env.Name)
	f := fleet.New(fleet.Config{
		Count: n.Count, Prefix: objectName(env.Name), Heartbeat: n.Heartbeat.D(), StatusReport: n.StatusReport.D(),
		PodWatch: n.PodWatch, PodStart: n.PodStart.D(), PodStop: n.PodStop.D(), PodLatency: n.PodLatency,
		AsNodes: n.Identity == "node", Timeout: n.Timeout.D(), InFlight: n.InFlight,
	}, fleet.Env{
		Workload: env.Name, REST: cfg, Recorder: env.Recorder, Clock: env.Clock, Seed: env.Seed,
		Labels: map[string]string{RunLabel: env.RunID}, Log: env.Log,
	})
	if err := f.Register(ctx); err != nil {
		return fmt.Errorf("workload %s: %w", env.Name, err)
	}
	n.fleet = f
	return nil
}

// Run implements Workload.
func (n *Nodes) Run(ctx context.Context, env *Env) error {
	f := n.fleet
	if f == nil {
		return errors.New("workload " + env.Name + ": its nodes are not registered: call Prepare first")
	}
	n.fleet = nil
	if err := f.Run(ctx); err != nil {
		return fmt.Errorf("workload %s: %w", env.Name, err)
	}
	return nil
}
