package kind

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	core "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/pki"
	"github.com/storm-harness/storm/clusters/ready"
	"github.com/storm-harness/storm/internal/docker"
)

// fromNothing makes the containers of the adopted spec, and returns with everything
// serving. What there is of the cluster before goes.
func (c *Cluster) fromNothing(ctx context.Context) error {
	began, spec := time.Now(), c.Spec()
	again := c.lived
	c.lived = true
	if again { // also where the life before was not whole
		if err := c.remove(ctx); err != nil {
			return err
		}
		if err := c.adopt(ctx, spec); err != nil { // without the nodes that were
			return err
		}
	}
	if err := c.makeNetwork(ctx); err != nil {
		return err
	}
	if _, err := EmptyImage(ctx); err != nil {
		return err
	}
	for i := range *spec.Kubernetes.APIServer.Replicas {
		if err := c.nodeFiles(i); err != nil {
			return err
		}
		for _, id := range c.inNode(i) {
			if id.Kind == clusters.KindEtcd {
				if err := os.MkdirAll(c.dataDir(id), 0o700); err != nil {
					return err
				}
			}
		}
	}
	cgroups, err := docker.Cgroups(ctx)
	if err != nil {
		return err
	}
	config, err := c.design(cgroups == "1").config()
	if err != nil {
		return err
	}
	// The members are there long before kubeadm asks for them.
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.startMembers(gctx, began) })
	g.Go(func() error { return c.forerun(gctx, spec, began) })
	g.Go(func() error { return c.create(ctx, gctx, config) })
	if err := g.Wait(); err != nil {
		return err
	}
	if err := c.meet(ctx, spec); err != nil {
		return err
	}
	c.o.Sink(clusters.Event{Text: "nodes are up after " + seconds(time.Since(began))})
	if err := c.laidOver(ctx, began); err != nil {
		return err
	}
	if err := c.settled(ctx); err != nil {
		return err
	}
	if err := ready.Held(ctx, c.Access().REST, spec); err != nil {
		return err
	}
	if err := c.askGoVersion(ctx); err != nil {
		return err
	}
	if err := c.cordon(ctx); err != nil {
		return err
	}
	return c.mirrored(ctx)
}

// adopt takes over a spec: it gets what runs, gives every member its place, and
// makes certificates.
func (c *Cluster) adopt(ctx context.Context, spec clusters.Spec) error {
	i, err := imageOf(ctx, spec, c.o.NodeImage)
	if err != nil {
		return err
	}
	if i, err = i.get(ctx, c.o.Store, c.o.Sink); err != nil {
		return err
	}
	c.mu.Lock()
	if i.id == c.image.id {
		i.version, i.goVersion = c.image.version, c.image.goVersion // as its nodes say it
	}
	c.mu.Unlock()
	if err := i.fits(spec.Kubernetes.Version); err != nil {
		return err
	}
	binaries, err := etcdBinaries(ctx, c.o.Store, spec, c.o.Sink)
	if err != nil {
		return err
	}
	nodes := c.allNodes()
	shards := places(spec, c.slot, addresses(nodes))
	if err := c.pki.Shards(spec.AllShards()); err != nil {
		return err
	}
	etcdTLS, err := c.pki.ClientTLS(pki.EtcdClientPair, pki.EtcdTrust)
	if err != nil {
		return err
	}
	for _, s := range shards {
		if s.Stacked() && s.Name == clusters.MainShard {
			continue // kubeadm makes their certificates
		}
		if err := c.identify(s); err != nil {
			return err
		}
	}
	members := c.membersOf(shards, nodes)
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		if err := c.pki.Ensure(name, pki.Certificate{CA: pki.ClusterCA, Common: "system:" + name, Server: true, Addrs: nodeAddrs(c.slot), Names: []string{"localhost"}}); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spec, c.image, c.binaries, c.shards, c.members, c.etcdTLS = spec, i, binaries, shards, members, etcdTLS
	return nil
}

// membersOf makes the handles of the members: of stacked ones as far as there are nodes.
func (c *Cluster) membersOf(shards []shardPlaces, nodes []*node) []etcdMember {
	var out []etcdMember
	for _, s := range shards {
		if s.Stacked() {
			out = append(out, stackedMembers(s, nodes)...)
			continue
		}
		for _, at := range s.members {
			out = append(out, &member{cluster: c, place: at, log: filepath.Join(c.o.LogDir, at.id.String()+".log")})
		}
	}
	return out
}

// design is what kind's configuration is made of. oldCgroup says that the daemon's
// control groups are of version 1.
func (c *Cluster) design(oldCgroup bool) design {
	c.mu.Lock()
	defer c.mu.Unlock()
	return design{
		name: c.name, image: c.image.name, version: c.image.version, nodes: *c.spec.Kubernetes.APIServer.Replicas, workers: c.spec.Kubernetes.Workers, shards: c.shards,
		dir: c.o.Dir, logs: c.o.LogDir, oldCgroup: oldCgroup,
	}
}

// etcdBinaries gets the binaries of every shard, keyed by the shard.
func etcdBinaries(ctx context.Context, store *components.Store, spec clusters.Spec, sink clusters.Sink) (map[string]components.Binary, error) {
	out := map[string]components.Binary{}
	for _, sh := range spec.AllShards() {
		b, err := store.Get(ctx, components.Request{Name: components.Etcd, Version: sh.Version, BinDir: sh.BinDir}, sink)
		if err != nil {
			return nil, err
		}
		out[sh.Name] = b
	}
	return out, nil
}

// startMembers starts every etcd member that there is a handle of, and returns when
// all serve.
func (c *Cluster) startMembers(ctx context.Context, began time.Time) error {
	return c.startThese(ctx, c.allMembers(), began)
}

func (c *Cluster) startThese(ctx context.Context, members []etcdMember, began time.Time) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ready.Patience, fmt.Errorf("the members took longer than %s to start", ready.Patience))
	defer cancel()
	return each(ctx, members, func(ctx context.Context, m etcdMember) error {
		name := m.ID().String()
		c.o.Sink(clusters.Event{Component: name, Text: "starting"})
		if err := m.Start(ctx, clusters.Change{}); err != nil {
			return err
		}
		if err := m.Ready(ctx); err != nil {
			return err
		}
		c.o.Sink(clusters.Event{Component: name, Text: "ready after " + seconds(time.Since(began))})
		return nil
	})
}

// nodeFiles gives the i-th node a folder of certificates: the authorities, so that
// kubeadm makes none of its own, what opens etcd and serves, and what the members of
// stacked shards have, but for the main one's, which is kubeadm's.
func (c *Cluster) nodeFiles(i int) error {
	copies := map[string]string{}
	for _, name := range []string{pki.ClusterCA, pki.FrontCA, pki.EtcdCA, pki.APIEtcdPair} {
		copies[c.pki.Crt(name)], copies[c.pki.Key(name)] = name+".crt", name+".key"
	}
	copies[c.pki.Crt(pki.EtcdTrust)] = pki.EtcdTrust + ".crt"
	copies[c.pki.Key(pki.ServiceKey)], copies[c.pki.Pub(pki.ServiceKey)] = pki.ServiceKey+".key", pki.ServiceKey+".pub"
	for _, name := range []string{"kube-controller-manager", "kube-scheduler"} {
		copies[c.pki.Crt(name)], copies[c.pki.Key(name)] = "serving/"+name+".crt", "serving/"+name+".key"
	}
	for _, id := range c.inNode(i) {
		if byKubeadm(id) {
			continue
		}
		for _, name := range []string{pki.ShardCA(id.Shard), pki.ShardClients(id.Shard), pairOf(id)} {
			copies[c.pki.Crt(name)] = name + ".crt"
		}
		copies[c.pki.Key(pairOf(id))] = pairOf(id) + ".key"
	}
	dir := filepath.Join(c.o.Dir, "nodes", strconv.Itoa(i), "pki")
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for from, to := range copies {
		b, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		to = filepath.Join(dir, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(to, b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// meet connects to the nodes that kind has made, and makes the handles of what
// runs in them.
func (c *Cluster) meet(ctx context.Context, spec clusters.Spec) error {
	var nodes []*node
	for i := range *spec.Kubernetes.APIServer.Replicas {
		n, err := c.openControlPlane(ctx, i)
		if err != nil {
			return err
		}
		nodes = append(nodes, n)
		c.mu.Lock()
		c.nodes = slices.Clone(nodes)
		c.mu.Unlock()
	}
	for i := range spec.Kubernetes.Workers {
		n, err := c.openWorker(ctx, i)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.workers = append(c.workers, n)
		c.mu.Unlock()
	}
	version, err := nodes[0].run(ctx, "cat /kind/version")
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.image.version = strings.TrimSpace(version) // its name may not say
	i := c.image
	c.mu.Unlock()
	if err := i.fits(spec.Kubernetes.Version); err != nil {
		return err
	}
	c.meetMembers(spec, nodes)
	if err := c.pki.WriteKubeconfig(c.Kubeconfig(), nodes[0].url(apiServerPort), c.name, pki.AdminPair); err != nil {
		return err
	}
	return c.makeParts(ctx, spec)
}

// meetMembers makes the handles of the members in nodes, among those that are hosts of
// their own and run already.
func (c *Cluster) meetMembers(spec clusters.Spec, nodes []*node) {
	shards := places(spec, c.slot, addresses(nodes))
	var all []etcdMember
	for _, s := range shards {
		if s.Stacked() {
			all = append(all, stackedMembers(s, nodes)...)
			continue
		}
		for _, m := range c.allMembers() {
			if m.ID().Shard == s.Name {
				all = append(all, m)
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shards, c.members = shards, all
}

// newParts makes handles of what runs beside etcd on every node: of what a spec wants,
// apiservers first, and of the rest.
func (c *Cluster) newParts(spec clusters.Spec) (wanted, surplus []*part) {
	k := spec.Kubernetes
	replicas := map[clusters.Kind]int{
		clusters.KindAPIServer: *k.APIServer.Replicas, clusters.KindControllerManager: *k.ControllerManager.Replicas, clusters.KindScheduler: *k.Scheduler.Replicas,
	}
	for _, kind := range besideEtcd {
		for _, n := range c.allNodes() {
			if p := n.newPart(kind); n.index < replicas[kind] {
				wanted = append(wanted, p)
			} else {
				surplus = append(surplus, p)
			}
		}
	}
	return wanted, surplus
}

// makeParts makes a handle for each component that a spec wants in the nodes, and
// waits until the node has told which process it is. What it does not want is
// taken away.
func (c *Cluster) makeParts(ctx context.Context, spec clusters.Spec) error {
	parts, surplus := c.newParts(spec)
	for _, n := range c.allNodes() {
		if err := n.tellAgain(ctx); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.parts = parts
	c.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, ready.Patience, fmt.Errorf("the nodes' kubelets did not start everything within %s", ready.Patience))
	defer cancel()
	// A further shard's members are none of kubeadm's: they have their forerunners yet.
	members := slices.DeleteFunc(c.stackedParts(), func(p *part) bool { return !byKubeadm(p.id) })
	for _, p := range slices.Concat(parts, surplus, members) {
		if err := p.await(ctx, func(s clusters.State) bool { return s.Running }); err != nil {
			return fmt.Errorf("%s: %w%s", p.id, err, p.node.kubeletSays())
		}
	}
	return each(ctx, surplus, func(ctx context.Context, p *part) error { return p.Stop(ctx, 0) })
}

// laidOver has every component run with what the spec says of its flags, gates
// and environment, and waits until all serve. Controllers would end themselves
// while their apiserver is away, so they go before it and come after it.
func (c *Cluster) laidOver(ctx context.Context, began time.Time) error {
	ctx, cancel := context.WithTimeoutCause(ctx, ready.Patience, fmt.Errorf("the cluster took longer than %s to start", ready.Patience))
	defer cancel()
	servers := c.partsOf(clusters.KindAPIServer)
	controllers := c.partsOf(clusters.KindControllerManager, clusters.KindScheduler)
	var change, follow []*part
	// An apiserver whose only member restarts would end itself after a while.
	members := c.stackedParts()
	if written(c.Spec().Kubernetes.APIServer) || len(members) > 0 {
		change = servers
	}
	for _, p := range controllers {
		if len(change) > 0 || written(p.deployment()) {
			follow = append(follow, p)
		}
	}
	stop := func(ctx context.Context, p *part) error { return p.Stop(ctx, 0) }
	start := func(ctx context.Context, p *part) error { return p.Start(ctx, clusters.Change{}) }
	serve := func(ctx context.Context, p *part) error {
		if err := p.Ready(ctx); err != nil {
			return err
		}
		c.o.Sink(clusters.Event{Component: p.id.String(), Text: "ready after " + seconds(time.Since(began))})
		return nil
	}
	type step struct {
		parts []*part
		do    func(context.Context, *part) error
	}
	take := func(steps ...step) error {
		for _, s := range steps {
			if err := each(ctx, s.parts, s.do); err != nil {
				return err
			}
		}
		return nil
	}
	if err := take(step{follow, stop}, step{change, stop}, step{members, stop}); err != nil {
		return err
	}
	if err := c.relieve(ctx); err != nil {
		return err
	}
	return take(
		step{members, start}, step{change, start}, step{servers, serve},
		step{follow, func(ctx context.Context, p *part) error { return c.giveUpLease(ctx, p.id.Kind) }}, step{follow, start}, step{controllers, serve},
	)
}

// giveUpLease deletes the Lease of a kind that elects: a holder that was killed would
// be waited for as long as it is valid.
func (c *Cluster) giveUpLease(ctx context.Context, kind clusters.Kind) error {
	name, elects := ready.Elected[kind]
	if !elects {
		return nil
	}
	leases, err := c.leases()
	if err != nil {
		return err
	}
	if err := leases.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("lease %s: %w", name, err)
	}
	return nil
}

// askGoVersion asks an apiserver what Go it was built with. The servers of an image are
// of one build.
func (c *Cluster) askGoVersion(ctx context.Context) error {
	client, err := discovery.NewDiscoveryClientForConfig(c.Access().REST)
	if err != nil {
		return err
	}
	return ready.Patiently(ctx, func(context.Context) error {
		info, err := client.ServerVersion()
		if err != nil {
			return fmt.Errorf("what the apiserver was built with: %w", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.image.goVersion = info.GoVersion
		return nil
	})
}

// cordon keeps pods of loads off the nodes: those are for simulated ones.
func (c *Cluster) cordon(ctx context.Context) error {
	client, err := core.NewForConfig(c.Access().REST)
	if err != nil {
		return err
	}
	for _, n := range c.allNodes() {
		// A node that has just joined may not have told of itself yet.
		if err := ready.Patiently(ctx, func(ctx context.Context) error {
			_, err := client.Nodes().Patch(ctx, n.name, types.StrategicMergePatchType, []byte(`{"spec":{"unschedulable":true}}`), metav1.PatchOptions{})
			return err
		}); err != nil {
			return fmt.Errorf("keeping pods off node %s: %w", n.name, err)
		}
	}
	return nil
}

// token is the name by which the members of one shard know each other: no member
// ever joins another run's.
func (c *Cluster) token(shard string) string { return c.o.Ledger.RunID() + "-" + shard }

func seconds(d time.Duration) string { return fmt.Sprintf("%.2fs", d.Seconds()) }
