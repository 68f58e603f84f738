package local

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/flags"
	"github.com/storm-harness/storm/clusters/pki"
	"github.com/storm-harness/storm/clusters/ready"
)

// adopt takes over a spec: it gets the binaries, lays everything out, and
// makes a handle for each component. Nothing runs when it is called.
func (c *Cluster) adopt(ctx context.Context, spec clusters.Spec) error {
	binaries, err := Obtain(ctx, c.o.Store, spec, c.o.Sink)
	if err != nil {
		return err
	}
	namespaces, err := useNamespaces(spec.Network)
	if err != nil {
		return err
	}
	var hosts map[string]netip.Addr
	if namespaces {
		if hosts, err = c.supervisor.Network(ctx, hostNames(spec)); err != nil {
			return fmt.Errorf("hosts for the members: %w", err)
		}
	}
	l := newLayout(spec, c.slot, hosts)
	if err := c.pki.Shards(spec.AllShards()); err != nil {
		return err
	}
	if err := c.identities(l); err != nil {
		return err
	}
	etcdTLS, err := c.pki.ClientTLS(pki.EtcdClientPair, pki.EtcdTrust)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spec, c.binaries, c.namespaces, c.layout, c.etcdTLS, c.components = spec, binaries, namespaces, l, etcdTLS, nil
	for _, s := range l.shards {
		for i := range s.members {
			c.components = append(c.components, c.memberHandle(s, i))
		}
	}
	k := spec.Kubernetes
	for i, s := range l.apiservers {
		c.components = append(c.components, c.serverHandle(s, k.APIServer, "/readyz", func(over map[string]string) flags.Set {
			return apiServerFlags(l, i, c.pki, k.APIServer, over)
		}))
	}
	for _, s := range l.managers {
		c.components = append(c.components, c.serverHandle(s, k.ControllerManager, "/healthz", func(over map[string]string) flags.Set {
			return controllerManagerFlags(s, c.pki, c.kubeconfigOf(s), k.ControllerManager, over)
		}))
	}
	for _, s := range l.schedulers {
		c.components = append(c.components, c.serverHandle(s, k.Scheduler, "/healthz", func(over map[string]string) flags.Set {
			return schedulerFlags(s, c.pki, c.kubeconfigOf(s), k.Scheduler, over)
		}))
	}
	return nil
}

// Obtain gets every binary that a defaulted spec needs, keyed by where it is
// used: the shard for etcd, else the component.
func Obtain(ctx context.Context, store *components.Store, spec clusters.Spec, sink clusters.Sink) (map[string]components.Binary, error) {
	requests := map[string]components.Request{}
	var keys []string
	want := func(key string, r components.Request) {
		keys, requests[key] = append(keys, key), r
	}
	for _, sh := range spec.AllShards() {
		want(etcdKey(sh.Name), components.Request{Name: components.Etcd, Version: sh.Version, BinDir: sh.BinDir})
	}
	for _, d := range besideEtcd(spec) {
		want(d.request.Name, d.request)
	}
	out := map[string]components.Binary{}
	for _, key := range keys {
		b, err := store.Get(ctx, requests[key], sink)
		if err != nil {
			return nil, err
		}
		out[key] = b
	}
	return out, nil
}

func etcdKey(shard string) string { return components.Etcd + " " + shard }

// binary is the one in use under that key, or what a change asks for.
func (c *Cluster) binary(ctx context.Context, name, key string, change clusters.Change) (components.Binary, error) {
	if change.Version != "" || change.BinDir != "" {
		return c.o.Store.Get(ctx, components.Request{Name: name, Version: change.Version, BinDir: change.BinDir}, c.o.Sink)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	b, ok := c.binaries[key]
	if !ok {
		return components.Binary{}, fmt.Errorf("no binary of %s was got", key)
	}
	return b, nil
}

// memberHandle makes the handle of an etcd member.
func (c *Cluster) memberHandle(s shardLayout, i int) *component {
	m := s.members[i]
	comp := c.handle(m, s.Env)
	comp.endpoints.Peer = m.peerURL()
	comp.command = func(ctx context.Context, change clusters.Change) ([]string, error) {
		b, err := c.binary(ctx, components.Etcd, etcdKey(s.Name), change)
		if err != nil {
			return nil, err
		}
		if err := os.MkdirAll(filepath.Dir(c.dataDir(m.id)), 0o700); err != nil {
			return nil, err
		}
		fs := etcdFlags(s, i, c.pki, c.dataDir(m.id), c.token(s.Name), b.Version, change.Flags)
		return append([]string{b.Path}, fs.Argv()...), nil
	}
	comp.probe = func() (ready.Probe, error) { return ready.Member(m.url(), c.Access().EtcdTLS) }
	return comp
}

// serverHandle makes the handle of a Kubernetes component.
func (c *Cluster) serverHandle(s site, d clusters.Deployment, health string, spell func(over map[string]string) flags.Set) *component {
	comp := c.handle(s, d.Env)
	comp.command = func(ctx context.Context, change clusters.Change) ([]string, error) {
		b, err := c.binary(ctx, string(s.id.Kind), string(s.id.Kind), change)
		if err != nil {
			return nil, err
		}
		return append([]string{b.Path}, spell(change.Flags).Argv()...), nil
	}
	lease := ready.Elected[s.id.Kind]
	comp.probe = func() (ready.Probe, error) {
		secure, err := c.pki.ClientTLS(pki.AdminPair, pki.ClusterCA)
		if err != nil {
			return ready.Probe{}, err
		}
		p := ready.Server(s.url()+health, secure)
		if lease == "" || spell(comp.changed().Flags).Value("leader-elect") != "true" {
			return p, nil
		}
		leases, err := c.leases()
		if err != nil {
			return ready.Probe{}, err
		}
		return p.Led(leases, lease, func() time.Time { return comp.State().Started }), nil
	}
	return comp
}

func (c *Cluster) handle(s site, env map[string]string) *component {
	return &component{
		cluster: c, id: s.id, host: s.host, env: env, log: filepath.Join(c.o.LogDir, s.id.String()+".log"),
		endpoints: clusters.Endpoints{Client: s.url(), Metrics: s.url() + "/metrics", Host: s.addr.String()},
	}
}

// dataDir is a member's data directory.
func (c *Cluster) dataDir(id clusters.ID) string {
	return filepath.Join(c.o.Dir, dataFolder, id.String())
}

const (
	dataFolder   = "data"
	goldenFolder = "golden"
)

// token is the name by which the members of one shard know each other: no
// member ever joins another run's.
func (c *Cluster) token(shard string) string { return c.o.Ledger.RunID() + "-" + shard }
