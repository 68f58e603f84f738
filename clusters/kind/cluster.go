// Package kind runs a control plane in containers: kind's nodes, one for each
// apiserver, with their static pods, and a container for each etcd member, all on
// a network of the cluster's own. Every component is a handle.
//
// etcd is external, the main shard's too, unless a spec wants a shard stacked: one
// layout for every number of members and shards, each member a host of its own
// that can be cut off, killed, and restored while the nodes live on.
package kind

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/data"
	"github.com/storm-harness/storm/clusters/fairness"
	"github.com/storm-harness/storm/clusters/layers"
	"github.com/storm-harness/storm/clusters/network"
	"github.com/storm-harness/storm/clusters/pki"
	"github.com/storm-harness/storm/clusters/supervise"
	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/rundir"
)

// Options say what cluster to make, and where.
type Options struct {
	Spec clusters.Spec
	// Dir is the cluster's own directory: data, certificates, golden copies. It
	// must not exist; it is made here, and removed with the cluster. Containers
	// have parts of it mounted, so that the daemon must be this machine's.
	Dir string
	// LogDir is for the logs, which outlive the cluster unless it is in Dir.
	LogDir string
	Store  *components.Store // of etcd's binaries, which the members run
	Ledger *ledger.Ledger    // of the run; its id is in the containers' names
	Sink   clusters.Sink     // nil for none
	// Exited, if set, is told of every component that ended though nobody asked.
	Exited func(id clusters.ID, how string)
	// NodeImage takes the place of the image that the version comes to.
	NodeImage string
	// Retain keeps the containers of a cluster that does not come up, and Dir; they
	// stay in the ledger.
	Retain bool
}

// Cluster is a running kind cluster.
type Cluster struct {
	o          Options
	name       string // kind's, the network's, and the beginning of the containers'
	supervisor *supervise.Client
	slot       network.Slot
	pki        *pki.PKI
	adminTLS   *tls.Config
	alive      context.Context // ends with Close
	end        context.CancelFunc
	tellings   tellings // of ends that nobody asked for

	mu      sync.Mutex
	etcdTLS *tls.Config // for the members of all shards
	spec    clusters.Spec
	image   image
	shards  []shardPlaces
	members []etcdMember
	// forerunners are there while kind makes the nodes.
	forerunners []*member
	nodes       []*node // of the control plane
	workers     []*node
	parts       []*part
	binaries    map[string]components.Binary // etcd's, by shard
	restores    map[string]*data.Restores    // by shard
	lived       bool                         // containers have been made
	broken      bool                         // a reset could not bring it up
	goldens     map[string]bool              // the golden copies that there are, by their keys
	how         string                       // the last reset came about
	touched     map[[2]clusters.ID]bool      // links that were changed
}

var (
	_ interface{ ResetHow() string }       = (*Cluster)(nil) // which the runner asks
	_ interface{ Parting() time.Duration } = (*Cluster)(nil) // and this
	_ interface{ Told(context.Context) }   = (*Cluster)(nil) // and this
	_ clusters.Cluster                     = (*Cluster)(nil)
	_ clusters.Populated                   = (*Cluster)(nil)
	_ clusters.Linker                      = (*Cluster)(nil)
	_ clusters.Restorer                    = (*Cluster)(nil)
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
	if _, err := docker.Ping(ctx); err != nil {
		return nil, err
	}
	if err := supervise.MakeDirs(o.Ledger, &o.Dir, &o.LogDir); err != nil {
		return nil, err
	}
	c := &Cluster{o: o, name: NameOf(o.Ledger.RunID()), goldens: map[string]bool{}, restores: map[string]*data.Restores{}, touched: map[[2]clusters.ID]bool{}}
	c.alive, c.end = context.WithCancel(context.Background())
	if err := c.begin(ctx); err != nil {
		return nil, errors.Join(explained(err), c.giveUp(context.WithoutCancel(ctx), o.Retain && ctx.Err() == nil))
	}
	return c, nil
}

// begin makes what all of the cluster's lives have in common, and its first.
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
	if c.adminTLS, err = c.pki.ClientTLS(pki.AdminPair, pki.ClusterCA); err != nil {
		return err
	}
	if err := c.adopt(ctx, c.o.Spec); err != nil {
		return err
	}
	_, err = layers.Climb(ctx, c.layers(clusters.Population{}), copies{c})
	return err
}

// giveUp removes what there is of a cluster that did not come up, or leaves its
// containers for the user to look at, and what of this machine they have mounted.
func (c *Cluster) giveUp(ctx context.Context, retain bool) error {
	if c.supervisor == nil {
		return c.o.Ledger.RemoveDir(c.o.Dir)
	}
	var kept []string
	var err error
	if retain {
		kept, err = docker.Lines(ctx, "ps", "-a", "--filter", "network="+c.name, "--format", "{{.Names}}")
	}
	if len(kept) == 0 {
		return errors.Join(err, c.Close(ctx))
	}
	slices.Sort(kept)
	c.o.Sink(clusters.Event{Text: fmt.Sprintf("kept are the containers %s, and %s: `storm cleanup` removes them", strings.Join(kept, ", "), c.o.Dir)})
	c.end()
	c.closeNodes()
	return errors.Join(c.o.Ledger.Keep(), c.supervisor.Leave(ctx))
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
	var out []clusters.Component
	for _, m := range c.members {
		out = append(out, m)
	}
	for _, p := range c.parts {
		out = append(out, p)
	}
	return out
}

// Namespaces says that every member is a host of its own.
func (c *Cluster) Namespaces() bool { return true }

// Name is what kind calls the cluster; its containers' names begin with it.
func (c *Cluster) Name() string { return c.name }

// Kubeconfig is the path of the admin's kubeconfig.
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.o.Dir, "kubeconfig") }

// Access implements clusters.Cluster.
func (c *Cluster) Access() clusters.Access {
	c.mu.Lock()
	defer c.mu.Unlock()
	access := clusters.Access{
		Kubeconfig: c.Kubeconfig(), REST: &rest.Config{}, EtcdTLS: c.etcdTLS.Clone(), PKI: c.pki.Dir, Issue: c.pki.Issue,
	}
	if len(c.nodes) > 0 {
		access.REST = c.pki.RESTConfig(c.nodes[0].url(apiServerPort))
	}
	return access
}

// Provenance says what runs: the node image, and etcd's binaries.
func (c *Cluster) Provenance() []rundir.Provenance {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []rundir.Provenance{}
	for _, kind := range []clusters.Kind{clusters.KindAPIServer, clusters.KindControllerManager, clusters.KindScheduler} {
		out = append(out, rundir.Provenance{
			Component: string(kind), Version: c.image.version, SHA256: strings.TrimPrefix(c.image.id, "sha256:"), GoVersion: c.image.goVersion, Origin: "node image " + c.image.name, Path: c.image.name,
		})
	}
	for _, s := range c.shards {
		b := c.binaries[s.Name]
		p := rundir.Provenance{Component: b.Name, Version: b.Version, SHA256: b.SHA256, GoVersion: b.GoVersion, Origin: b.Origin, Path: b.Path}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// Close implements clusters.Cluster: the supervisor removes the containers, their
// network, and the directory. One that a reset could not bring up may be kept, as
// one that never came up.
func (c *Cluster) Close(ctx context.Context) error {
	c.mu.Lock()
	kept := c.broken && c.o.Retain
	c.broken = false
	c.mu.Unlock()
	if kept {
		return c.giveUp(ctx, true)
	}
	c.end()
	c.closeNodes()
	return c.supervisor.Shutdown(ctx)
}

// Parting is how long Close may take: the supervisor gives the containers two
// minutes, and ends processes before and removes the directory after.
func (c *Cluster) Parting() time.Duration { return 150 * time.Second }

// Lost is closed when the supervisor is gone, whose death ends the run.
func (c *Cluster) Lost() <-chan struct{} { return c.supervisor.Done() }

// servers are the API servers, to be looked at.
func (c *Cluster) servers() []fairness.Server {
	var out []fairness.Server
	for _, p := range c.partsOf(clusters.KindAPIServer) {
		out = append(out, fairness.Server{Name: p.id.String(), URL: p.endpoints.Client})
	}
	return out
}

// partsOf returns the components in nodes of some kinds; of all, if none is named.
func (c *Cluster) partsOf(kinds ...clusters.Kind) []*part {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*part
	for _, p := range c.parts {
		if len(kinds) == 0 || slices.Contains(kinds, p.id.Kind) {
			out = append(out, p)
		}
	}
	return out
}

func (c *Cluster) allMembers() []etcdMember {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.members)
}

func (c *Cluster) allNodes() []*node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.nodes)
}

// everyNode are those of the control plane, and the workers.
func (c *Cluster) everyNode() []*node {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Concat(c.nodes, c.workers)
}

// each does the same to several at once. The first error ends the others and is
// returned.
func each[T any](ctx context.Context, all []T, do func(context.Context, T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, one := range all {
		g.Go(func() error { return do(ctx, one) })
	}
	err := g.Wait()
	if cause := context.Cause(ctx); errors.Is(err, context.Canceled) && cause != nil {
		return cause
	}
	return err
}
