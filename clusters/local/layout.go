package local

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/network"
)

// The ports that the components usually listen on.
const (
	etcdClientPort = 2379
	etcdPeerPort   = 2380
	apiServerPort  = 6443
	managerPort    = 10257
	schedulerPort  = 10259
)

// Where the components of a kind begin among a slot's addresses; every kind
// has at most nine replicas, etcd members come after all of them.
const (
	apiServerAt = 0
	managerAt   = 10
	schedulerAt = 20
	etcdAt      = 30
	// advertiseAt is in the hosts' subnet, whose hosts are counted from 0: an
	// apiserver must not advertise a loopback address.
	advertiseAt = 190
)

// mostReplicas is how many there may be of every other kind.
const mostReplicas = 9

// mostMembers is how many etcd members have addresses.
const mostMembers = advertiseAt - etcdAt

// site is where a component is.
type site struct {
	id   clusters.ID
	host string // the host of the cluster's network; empty for the machine
	addr netip.Addr
	port int
	peer int // of etcd members
	// advertise is the address that an apiserver makes known.
	advertise netip.Addr
}

func (s site) url() string     { return fmt.Sprintf("https://%s:%d", s.addr, s.port) }
func (s site) peerURL() string { return fmt.Sprintf("https://%s:%d", s.addr, s.peer) }

// shardLayout is an etcd cluster and where its members are.
type shardLayout struct {
	clusters.Shard
	members []site
}

// layout is where everything is.
type layout struct {
	shards     []shardLayout // main first
	apiservers []site
	managers   []site
	schedulers []site
}

// newLayout gives every component of a defaulted spec its place. hosts has the
// address of every etcd member that is a host of its own, by name; nil puts
// them on the machine's loopback.
func newLayout(spec clusters.Spec, slot network.Slot, hosts map[string]netip.Addr) layout {
	var l layout
	k := spec.Kubernetes
	on := func(kind clusters.Kind, n, first, port int) []site {
		out := make([]site, n)
		for i := range n {
			out[i] = site{
				id: clusters.ID{Kind: kind, Index: i}, addr: slot.LoopbackAddr(first + i), port: slot.Port(port),
			}
		}
		return out
	}
	l.apiservers = on(clusters.KindAPIServer, *k.APIServer.Replicas, apiServerAt, apiServerPort)
	for i := range l.apiservers {
		l.apiservers[i].advertise = slot.HostAddr(advertiseAt + i)
	}
	l.managers = on(clusters.KindControllerManager, *k.ControllerManager.Replicas, managerAt, managerPort)
	l.schedulers = on(clusters.KindScheduler, *k.Scheduler.Replicas, schedulerAt, schedulerPort)
	next := etcdAt
	for _, shard := range spec.AllShards() {
		sl := shardLayout{Shard: shard}
		for _, id := range memberIDs(shard) {
			m := site{id: id, addr: slot.LoopbackAddr(next), port: slot.Port(etcdClientPort), peer: slot.Port(etcdPeerPort)}
			if addr, ok := hosts[id.String()]; ok {
				m.host, m.addr, m.port, m.peer = id.String(), addr, etcdClientPort, etcdPeerPort
			}
			sl.members = append(sl.members, m)
			next++
		}
		l.shards = append(l.shards, sl)
	}
	return l
}

func memberIDs(shard clusters.Shard) []clusters.ID {
	out := make([]clusters.ID, shard.Members)
	for i := range out {
		out[i] = clusters.ID{Kind: clusters.KindEtcd, Shard: shard.Name, Index: i}
	}
	return out
}

// hostNames lists the etcd members of a defaulted spec: each is a host where
// the network has hosts.
func hostNames(spec clusters.Spec) []string {
	var out []string
	for _, shard := range spec.AllShards() {
		for _, id := range memberIDs(shard) {
			out = append(out, id.String())
		}
	}
	return out
}

// sites lists every component in start order.
func (l layout) sites() []site {
	var out []site
	for _, s := range l.shards {
		out = append(out, s.members...)
	}
	out = append(out, l.apiservers...)
	out = append(out, l.managers...)
	return append(out, l.schedulers...)
}

// shard returns the shard of that name; it must be there.
func (l layout) shard(name string) shardLayout {
	return l.shards[slices.IndexFunc(l.shards, func(s shardLayout) bool { return s.Name == name })]
}
