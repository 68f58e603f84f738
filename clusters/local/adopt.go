package local

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/etcd"
)

// adopt takes over a spec: it gets the binaries, lays out the members, and
// makes a handle for each component. Nothing runs when it is called.
func (c *Cluster) adopt(ctx context.Context, spec clusters.Spec) error {
	spec = spec.Defaulted()
	binaries, err := c.obtain(ctx, spec)
	if err != nil {
		return err
	}
	members, err := c.layOut(ctx, spec)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spec, c.binaries, c.members, c.components = spec, binaries, members, nil
	for _, sh := range spec.AllShards() {
		for _, m := range members[sh.Name] {
			c.components = append(c.components, c.memberHandle(m, members[sh.Name], sh))
		}
	}
	k := spec.Kubernetes
	for i := range *k.APIServer.Replicas {
		s := c.apiserver(i)
		c.components = append(c.components, c.serverHandle(s, k.APIServer, "/readyz", apiserverFlags(s, spec, members, c.pki)))
	}
	for i := range *k.ControllerManager.Replicas {
		s := c.server(clusters.KindControllerManager, i, loopbackManager, portManager)
		c.components = append(c.components, c.serverHandle(s, k.ControllerManager, "/healthz", controllerManagerFlags(s, spec, c.kubeconfigOf("controller-manager"), c.pki)))
	}
	for i := range *k.Scheduler.Replicas {
		s := c.server(clusters.KindScheduler, i, loopbackScheduler, portScheduler)
		c.components = append(c.components, c.serverHandle(s, k.Scheduler, "/readyz", schedulerFlags(s, spec, c.kubeconfigOf("scheduler"), c.pki)))
	}
	return nil
}

// obtain gets every binary that the spec needs, keyed by where it is used: the
// shard for etcd and its tools, else the component.
func (c *Cluster) obtain(ctx context.Context, spec clusters.Spec) (map[string]components.Binary, error) {
	out := map[string]components.Binary{}
	get := func(key string, r components.Request) error {
		b, err := c.o.Store.Get(ctx, r, c.o.Sink)
		if err != nil {
			return err
		}
		out[key] = b
		return nil
	}
	for _, sh := range spec.AllShards() {
		for _, name := range []string{components.Etcd, components.Etcdutl} {
			if err := get(name+" "+sh.Name, components.Request{Name: name, Version: sh.Version, BinDir: sh.BinDir}); err != nil {
				return nil, err
			}
		}
	}
	for kind, d := range map[clusters.Kind]clusters.Deployment{
		clusters.KindAPIServer: spec.Kubernetes.APIServer, clusters.KindControllerManager: spec.Kubernetes.ControllerManager, clusters.KindScheduler: spec.Kubernetes.Scheduler,
	} {
		if *d.Replicas == 0 {
			continue
		}
		if err := get(string(kind), components.Request{Name: string(kind), Version: d.Version, BinDir: d.BinDir}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// layOut gives every member a place, a directory and a certificate.
func (c *Cluster) layOut(ctx context.Context, spec clusters.Spec) (map[string][]member, error) {
	out, next := map[string][]member{}, 0
	var hosts []string
	for _, sh := range spec.AllShards() {
		for i := range sh.Members {
			id := clusters.ID{Kind: clusters.KindEtcd, Shard: sh.Name, Index: i}
			out[sh.Name] = append(out[sh.Name], member{
				id: id, address: c.slot.LoopbackAddr(loopbackMembers + next).String(),
				client: c.slot.Port(portClient), peer: c.slot.Port(portPeer),
				dir: filepath.Join(c.o.Dir, "data", id.String()),
			})
			hosts, next = append(hosts, id.String()), next+1
		}
	}
	if c.namespaces {
		addresses, err := c.supervisor.Network(ctx, hosts)
		if err != nil {
			return nil, fmt.Errorf("hosts for the members: %w", err)
		}
		for _, members := range out {
			for i := range members {
				members[i].address = addresses[members[i].id.String()].String()
				members[i].client, members[i].peer = portClient, portPeer
			}
		}
	}
	for _, members := range out {
		for _, m := range members {
			if err := c.memberIdentity(m); err != nil {
				return nil, err
			}
		}
	}
	return out, os.MkdirAll(filepath.Join(c.o.Dir, "data"), 0o700)
}

// memberHandle makes the handle of an etcd member.
func (c *Cluster) memberHandle(m member, of []member, sh clusters.Shard) *component {
	comp := &component{
		cluster: c, id: m.id, log: filepath.Join(c.o.LogDir, m.id.String()+".log"),
		endpoints: clusters.Endpoints{Client: m.clientURL(), Peer: m.peerURL(), Metrics: m.clientURL() + "/metrics", Host: m.address},
	}
	if c.namespaces {
		comp.host = m.id.String()
	}
	token := "storm-" + c.o.Ledger.RunID()
	comp.command = func(ctx context.Context, change clusters.Change) ([]string, []string, error) {
		b, err := c.binary(ctx, components.Etcd, components.Etcd+" "+sh.Name, change)
		if err != nil {
			return nil, nil, err
		}
		f := etcdFlags(m, of, sh, b.Version, token, c.pki).with(change.Flags)
		return f.argv(b.Path), environment(sh.Env, change.Env), nil
	}
	comp.serves = func(ctx context.Context) error {
		client, err := etcd.Open(m.clientURL(), c.etcdTLS)
		if err != nil {
			return err
		}
		defer client.Close()
		return client.Health(ctx)
	}
	return comp
}

// serverHandle makes the handle of a Kubernetes component.
func (c *Cluster) serverHandle(s server, d clusters.Deployment, health string, f flags) *component {
	comp := &component{
		cluster: c, id: s.id, log: filepath.Join(c.o.LogDir, s.id.String()+".log"),
		endpoints: clusters.Endpoints{Client: s.url(), Metrics: s.url() + "/metrics", Host: s.address},
	}
	comp.command = func(ctx context.Context, change clusters.Change) ([]string, []string, error) {
		b, err := c.binary(ctx, string(s.id.Kind), string(s.id.Kind), change)
		if err != nil {
			return nil, nil, err
		}
		return f.with(change.Flags).argv(b.Path), environment(d.Env, change.Env), nil
	}
	comp.serves = func(ctx context.Context) error { return c.answers(ctx, s.url()+health) }
	return comp
}

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

// answers asks a health endpoint as the admin.
func (c *Cluster) answers(ctx context.Context, url string) error {
	secure, err := c.pki.clientTLS(c.pki.kube, "admin")
	if err != nil {
		return err
	}
	return get(ctx, url, secure)
}

// get asks for a page over a connection of its own and wants a 200.
func get(ctx context.Context, url string, secure *tls.Config) error {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: secure, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, resp.Status, body)
	}
	return nil
}

// environment is the spec's with a change's over it.
func environment(own, change map[string]string) []string {
	var out []string
	for k, v := range flags(own).with(change) {
		out = append(out, k+"="+v)
	}
	return out
}

// patience bounds how long a cluster may take to start on a busy machine.
const patience = 2 * time.Minute

// start starts every component and returns when all of them serve. Members and
// apiservers start at once: an apiserver reads its certificates and builds its
// handlers while the members elect. The rest waits for the apiservers.
func (c *Cluster) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the cluster took longer than "+patience.String()+" to start"))
	defer cancel()
	began := time.Now()
	first := append(c.handles(clusters.KindEtcd), c.handles(clusters.KindAPIServer)...)
	if err := c.startAll(ctx, first, began); err != nil {
		return err
	}
	second := append(c.handles(clusters.KindControllerManager), c.handles(clusters.KindScheduler)...)
	if err := c.startAll(ctx, second, began); err != nil {
		return err
	}
	return c.leadersHold(ctx)
}

// startAll starts components together and waits for all.
func (c *Cluster) startAll(ctx context.Context, handles []*component, began time.Time) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, h := range handles {
		g.Go(func() error {
			c.o.Sink(clusters.Event{Component: h.id.String(), Text: "starting"})
			if err := h.Start(ctx, clusters.Change{}); err != nil {
				return err
			}
			if err := h.Ready(ctx); err != nil {
				return err
			}
			c.o.Sink(clusters.Event{Component: h.id.String(), Text: fmt.Sprintf("ready after %.1fs", time.Since(began).Seconds())})
			return nil
		})
	}
	return g.Wait()
}

func (c *Cluster) handles(kinds ...clusters.Kind) []*component {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []*component
	for _, h := range c.components {
		for _, k := range kinds {
			if h.id.Kind == k {
				out = append(out, h)
			}
		}
	}
	return out
}
