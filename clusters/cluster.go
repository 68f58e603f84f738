// Package clusters says what a cluster is and can do. The providers are its
// subfolders; what runs a cluster knows only this package.
//
// A cluster is handles, not a spec: every component can be watched, and where
// the provider has the capability, signalled, stopped, changed and started
// again while the rest lives on.
package clusters

import (
	"context"
	"crypto/tls"
	"strconv"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
)

// Cluster is a running control plane. Its methods are safe for concurrent
// use, except that Reset and Close must run alone.
type Cluster interface {
	// Spec is the wanted spec that the running cluster was last started with.
	Spec() Spec
	// Components lists the handles, in start order.
	Components() []Component
	// Access says how to reach the apiservers and the etcd members.
	Access() Access
	// Reset brings the cluster back to its golden state under the given spec:
	// same data as after the first start, new processes, ready when it returns.
	Reset(ctx context.Context, spec Spec) error
	// Close stops everything and removes what the provider made.
	Close(ctx context.Context) error
}

// ID names a component.
type ID struct {
	Kind  Kind   `json:"kind"`
	Shard string `json:"shard,omitempty"` // of etcd members only
	Index int    `json:"index"`
}

// Kind is a kind of component.
type Kind string

// The kinds of component.
const (
	KindEtcd              Kind = "etcd"
	KindAPIServer         Kind = "kube-apiserver"
	KindControllerManager Kind = "kube-controller-manager"
	KindScheduler         Kind = "kube-scheduler"
)

// String returns the component's name: etcd-main-0, kube-apiserver-0.
func (id ID) String() string {
	name := string(id.Kind)
	if id.Shard != "" {
		name += "-" + id.Shard
	}
	return name + "-" + strconv.Itoa(id.Index)
}

// Component is the handle of one component.
type Component interface {
	ID() ID
	// State is what is observed now.
	State() State
	// Endpoints are where it listens; they stay the same over restarts.
	Endpoints() Endpoints
	// Log is the path of its log file.
	Log() string
}

// State is a component's observed state.
type State struct {
	Running bool
	PID     int       // 0 where the component is no process of this host
	Started time.Time // of the present or last process
	Exit    string    // how the last process ended: "exit status 1", "signal: killed"; empty while running
	Asked   bool      // the end was asked for by storm
}

// Endpoints are a component's addresses; empty where it has none.
type Endpoints struct {
	Client  string // https URL: etcd's client URL, the apiserver's base URL, the others' secure port
	Peer    string // etcd's peer URL
	Metrics string // full URL of /metrics
	Host    string // the address alone, to name in links
}

// Access is how clients reach the cluster.
type Access struct {
	// Kubeconfig is the path of an admin kubeconfig file (mode 0600).
	Kubeconfig string
	// REST is the admin configuration for the first apiserver; copy it before
	// changing it. Its QPS is -1: nothing is throttled on the client's side.
	REST *rest.Config
	// EtcdTLS holds the client certificate for every etcd member; clone it.
	EtcdTLS *tls.Config
	// PKI is the directory of the certificates and keys, for backups.
	PKI string
	// Issue makes a client certificate that the apiservers accept; nil where
	// storm does not have the cluster's authority. Certificates of one storm may
	// share a key.
	Issue func(user string, groups ...string) (tls.Certificate, error)
	// EtcdReadOnly says that the etcd members, if there are any handles of them,
	// are not storm's: they may be asked, and are never written to directly.
	EtcdReadOnly bool
	// RealNodes says that the cluster has nodes that nobody simulates. Pods of
	// storm's must keep off them, and everybody else's off storm's nodes.
	RealNodes bool
	// Files are further secrets that belong in a backup, such as the service
	// account signing key; absolute paths.
	Files []string
}

// Capability is something that only some clusters can do.
type Capability string

// The capabilities. A fault or operation names those it needs.
const (
	CanSignal  Capability = "signal"  // send a signal to a component: Signaler
	CanRestart Capability = "restart" // stop, change, start a component: Restarter
	CanLink    Capability = "link"    // partition and delay links between members: Linker
	CanData    Capability = "data"    // replace a stopped member's data: Restorer
	CanGolden  Capability = "golden"  // go back to a golden state
	CanEtcd    Capability = "etcd"    // write to etcd itself and maintain it: fill its quota, compact, defragment, disarm
	CanIssue   Capability = "issue"   // make client certificates that the apiservers accept: Access.Issue
)

// Signaler is a component that takes signals.
type Signaler interface {
	Signal(ctx context.Context, sig syscall.Signal) error
}

// Restarter is a component that can be stopped, changed and started.
type Restarter interface {
	// Stop ends the process: by SIGTERM and, after the grace period, by
	// SIGKILL; a grace of 0 kills at once. It returns when the process is gone.
	Stop(ctx context.Context, grace time.Duration) error
	// Start starts it, with changes if any, and returns when the process runs;
	// Ready waits for it to serve.
	Start(ctx context.Context, change Change) error
	// Ready returns when the component serves, or an error with the last lines
	// of its log when it died or ctx ended. One whose kubelet starts it anew may have
	// died before, and once while it starts.
	Ready(ctx context.Context) error
}

// Change is what differs at the next start; it stays until Reset.
type Change struct {
	Flags   map[string]string // set or replaced; the value "-" removes a flag
	Env     map[string]string
	Version string
	BinDir  string
}

// Linker is a cluster whose members are hosts on a network of their own.
// All methods are idempotent.
type Linker interface {
	// Cut silently drops every packet from one component's host to another's.
	Cut(ctx context.Context, from, to ID) error
	// Delay holds every packet from one to the other for d.
	Delay(ctx context.Context, from, to ID, d time.Duration) error
	// Mend undoes Cut and Delay in this direction.
	Mend(ctx context.Context, from, to ID) error
	// Dropped returns how many packets from one to the other were dropped
	// since the last Cut: the proof of a partition.
	Dropped(ctx context.Context, from, to ID) (uint64, error)
}

// Restorer is a cluster whose members' data directories can be replaced while
// the member is stopped, by `etcdutl snapshot restore` of the member's version.
type Restorer interface {
	// RestoreMember replaces the stopped member's data directory with one
	// restored from the snapshot file. bump is added to the revision, and the
	// history before marked as compacted, unless bump is 0.
	RestoreMember(ctx context.Context, member ID, snapshot string, bump int64) error
	// Etcdutl returns the path of the etcdutl that fits the shard.
	Etcdutl(shard string) (string, error)
}

// Event is one step of a provider's work, for progress and logs.
type Event struct {
	Component string // what it is about; empty for the whole cluster
	Text      string // "starting", "ready after 3.2s"
	Done      int    // for work in parts: Done of Total; Total 0 where unknown
	Total     int
	Tell      bool // a report is to tell it: the provider did what takes part in what is measured
}

// Sink takes events; it must not block. A nil Sink is not valid: use Discard.
type Sink func(Event)

// Discard is a Sink that drops everything.
func Discard(Event) {}

// Find returns the component with that ID.
func Find(c Cluster, id ID) (Component, bool) {
	for _, comp := range c.Components() {
		if comp.ID() == id {
			return comp, true
		}
	}
	return nil, false
}

// OfKind returns the components of one kind, in order. For etcd members a
// shard may be named; an empty one means all.
func OfKind(c Cluster, kind Kind, shard string) []Component {
	var out []Component
	for _, comp := range c.Components() {
		if id := comp.ID(); id.Kind == kind && (shard == "" || id.Shard == shard) {
			out = append(out, comp)
		}
	}
	return out
}
