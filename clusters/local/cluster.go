// Package local runs a control plane as processes of this machine: etcd shards
// with mutual TLS, apiservers, controller managers, schedulers, each a handle.
// Where storm may, every etcd member is a host of its own in a network
// namespace.
package local

import (
	"context"
	"crypto/tls"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/data"
	"github.com/storm-harness/storm/clusters/layers"
	"github.com/storm-harness/storm/clusters/network"
	"github.com/storm-harness/storm/clusters/pki"
	"github.com/storm-harness/storm/clusters/supervise"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/rundir"
)

// Options say what cluster to make, and where.
type Options struct {
	Spec clusters.Spec
	// Dir is the cluster's own directory: data, certificates, golden copies. It
	// must not exist; it is made here, and removed with the cluster.
	Dir string
	// LogDir is for the logs, which outlive the cluster unless it is in Dir.
	LogDir string
	Store  *components.Store
	Ledger *ledger.Ledger // of the run; its id tells the cluster from others
	Sink   clusters.Sink  // nil for none
	// Exited, if set, is told of every process that ended though nobody asked.
	Exited func(id clusters.ID, how string)
}

// Cluster is a running local control plane.
type Cluster struct {
	o          Options
	supervisor *supervise.Client
	slot       network.Slot
	pki        *pki.PKI
	alive      context.Context // ends with Close
	end        context.CancelFunc

	mu         sync.Mutex
	spec       clusters.Spec
	namespaces bool // etcd members are hosts of their own
	components []*component
	layout     layout
	etcdTLS    *tls.Config // for the members of all shards
	binaries   map[string]components.Binary
	restores   map[string]*data.Restores // by shard
	golden     map[string]bool           // the golden copies that there are, by their keys
	how        string                    // the last reset came about
}

var (
	_ interface{ ResetHow() string } = (*Cluster)(nil) // which the runner asks
	_ clusters.Cluster               = (*Cluster)(nil)
	_ clusters.Populated             = (*Cluster)(nil)
	_ clusters.Linker                = (*Cluster)(nil)
	_ clusters.Restorer              = (*Cluster)(nil)
)

// Up starts a cluster and returns when all of it serves and the golden copy,
// which Reset goes back to, is taken.
func Up(ctx context.Context, o Options) (*Cluster, error) {
	o.Spec = o.Spec.Defaulted()
	if problems := Check(o.Spec); len(problems) > 0 {
		return nil, errors.New("starting the cluster: " + strings.Join(problems, "; "))
	}
	if o.Sink == nil {
		o.Sink = clusters.Discard
	}
	if err := supervise.MakeDirs(o.Ledger, &o.Dir, &o.LogDir); err != nil {
		return nil, err
	}
	c := &Cluster{o: o, golden: map[string]bool{}, restores: map[string]*data.Restores{}}
	c.alive, c.end = context.WithCancel(context.Background())
	if err := c.begin(ctx); err != nil {
		c.end()
		if c.supervisor == nil {
			return nil, errors.Join(err, o.Ledger.RemoveDir(o.Dir))
		}
		return nil, errors.Join(err, c.Close(context.WithoutCancel(ctx)))
	}
	return c, nil
}

func (c *Cluster) begin(ctx context.Context) error {
	var err error
	c.supervisor, err = supervise.Start(ctx, supervise.Options{
		Ledger: c.o.Ledger, Log: filepath.Join(c.o.LogDir, "supervisor.log"), Owned: []string{c.o.Dir},
	})
	if err != nil {
		return err
	}
	c.slot = c.supervisor.Slot()
	if c.pki, err = pki.Open(filepath.Join(c.o.Dir, "pki")); err != nil {
		return err
	}
	if err := c.adopt(ctx, c.o.Spec); err != nil {
		return err
	}
	if _, err := layers.Climb(ctx, c.layers(clusters.Population{}), copies{c}); err != nil {
		return err
	}
	return copies{c}.Resume(ctx)
}

// Spec implements clusters.Cluster.
func (c *Cluster) Spec() clusters.Spec {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.spec
}

// Components implements clusters.Cluster.
func (c *Cluster) Components() []clusters.Component {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]clusters.Component, len(c.components))
	for i, comp := range c.components {
		out[i] = comp
	}
	return out
}

// Namespaces says whether the members are hosts of their own.
func (c *Cluster) Namespaces() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.namespaces
}

// Kubeconfig is the path of the admin's kubeconfig.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.o.Dir, "kubeconfig") }

// Access implements clusters.Cluster.
func (c *Cluster) Access() clusters.Access {
	c.mu.Lock()
	defer c.mu.Unlock()
	access := clusters.Access{
		Kubeconfig: c.Kubeconfig(), REST: &rest.Config{}, EtcdTLS: c.etcdTLS.Clone(), PKI: c.pki.Dir, Issue: c.pki.Issue,
	}
	if len(c.layout.apiservers) > 0 {
		access.REST = c.pki.RESTConfig(c.layout.apiservers[0].url())
	}
	return access
}

// name is what the cluster is called in kubeconfigs.
func (c *Cluster) name() string { return "storm-" + c.o.Ledger.RunID() }

// Provenance says what runs, one entry a binary.
func (c *Cluster) Provenance() []rundir.Provenance {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []rundir.Provenance
	for _, key := range slices.Sorted(maps.Keys(c.binaries)) {
		b := c.binaries[key]
		out = append(out, rundir.Provenance{
			Component: b.Name, Version: b.Version, SHA256: b.SHA256, GoVersion: b.GoVersion, Origin: b.Origin, Path: b.Path,
		})
	}
	return out
}

// Close implements clusters.Cluster: the supervisor ends everything, and
// removes the directory.
func (c *Cluster) Close(ctx context.Context) error {
	c.end()
	return c.supervisor.Shutdown(ctx)
}

// Lost is closed when the supervisor is gone, and all processes with it.
func (c *Cluster) Lost() <-chan struct{} { return c.supervisor.Done() }
