package kind

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/network"
)

// The ports that the components listen on, each in a network of its own.
const (
	etcdClientPort = 2379 // of each member that is a host of its own, and of a stacked main shard's
	etcdPeerPort   = 2380
	shardPorts     = 100 // what those of the next stacked shard on the same nodes are apart
	apiServerPort  = 6443
	managerPort    = 10257
	schedulerPort  = 10259
)

// mostNodes is how many control-plane nodes there may be, and mostMembers how
// many etcd members have addresses: they take those from the slot's tenth on.
// Docker gives the nodes theirs, from the range nodesFrom/nodesBits.
const (
	mostNodes   = 9
	mostMembers = 180
	nodesFrom   = 224
	nodesBits   = 27
)

// longestName is how long a cluster's name may be, so that its nodes' names and
// that of kind's load balancer, which are host names, keep to 64 letters.
const longestName = 40

var notInNames = regexp.MustCompile(`[^a-z0-9-]+`)

// NameOf is the name of a run's cluster, of its network, and the beginning of
// all its containers' names.
func NameOf(run string) string {
	name := "storm-" + strings.Trim(notInNames.ReplaceAllString(strings.ToLower(run), "-"), "-")
	if len(name) > longestName || !strings.HasSuffix(name, run) {
		sum := sha256.Sum256([]byte(run))
		name = strings.TrimRight(name[:min(len(name), longestName-9)], "-") + "-" + hex.EncodeToString(sum[:4])
	}
	return name
}

// nodeName is what kind calls the i-th node of a role: control-plane or worker.
func nodeName(cluster, role string, i int) string {
	name := cluster + "-" + role
	if i > 0 {
		name += strconv.Itoa(i + 1)
	}
	return name
}

// nodesRange is where Docker takes the nodes' addresses from.
func nodesRange(slot network.Slot) netip.Prefix {
	return netip.PrefixFrom(lastByte(slot, nodesFrom), nodesBits)
}

// nodeAddrs are all the addresses that a node can come to have.
func nodeAddrs(slot network.Slot) []netip.Addr {
	var out []netip.Addr
	for i := nodesFrom; i < 255; i++ {
		out = append(out, lastByte(slot, i))
	}
	return out
}

func lastByte(slot network.Slot, n int) netip.Addr {
	b := slot.Subnet().Addr().As4()
	b[3] = byte(n)
	return netip.AddrFrom4(b)
}

// place is where an etcd member is: a host of its own, or a node, on which stacked
// members of several shards are told apart by their ports.
type place struct {
	id    clusters.ID
	addr  netip.Addr
	above int // what its ports are above the usual ones
}

func (p place) clientURL() string { return p.clientAt(p.addr) }
func (p place) peerURL() string   { return fmt.Sprintf("https://%s:%d", p.addr, etcdPeerPort+p.above) }

// ownURL is where whoever is on its node asks it.
func (p place) ownURL() string { return p.clientAt(loopback) }

func (p place) clientAt(addr netip.Addr) string {
	return fmt.Sprintf("https://%s:%d", addr, etcdClientPort+p.above)
}

// metricsURL is where kubelets ask whether a stacked member lives; kubeadm has the same
// port for its own.
func (p place) metricsURL() string { return fmt.Sprintf("http://%s:%d", loopback, p.metricsPort()) }
func (p place) metricsPort() int   { return etcdPeerPort + 1 + p.above }

// shardPlaces is an etcd cluster and where its members are.
type shardPlaces struct {
	clusters.Shard
	members []place
}

// places gives every member of a defaulted spec its place; main comes first. The
// members of a stacked shard have the addresses of the nodes, as far as these are
// known, and ports that the nodes' other shards do not have: the usual ones are
// kubeadm's, and so the main shard's alone.
func places(spec clusters.Spec, slot network.Slot, nodes []netip.Addr) []shardPlaces {
	var out []shardPlaces
	next, further := 0, 0
	for _, shard := range spec.AllShards() {
		s := shardPlaces{Shard: shard}
		if shard.Stacked() && shard.Name != clusters.MainShard {
			further++
		}
		for i := range shard.Members {
			p := place{id: clusters.ID{Kind: clusters.KindEtcd, Shard: shard.Name, Index: i}}
			switch {
			case !shard.Stacked():
				p.addr = slot.HostAddr(next)
				next++
			case i < len(nodes):
				p.addr = nodes[i]
			}
			if shard.Stacked() && shard.Name != clusters.MainShard {
				p.above = further * shardPorts
			}
			s.members = append(s.members, p)
		}
		out = append(out, s)
	}
	return out
}

// clientURLs are where apiservers ask a shard: all of its members, or each the one
// on its own node.
func clientURLs(s shardPlaces) []string {
	if s.Stacked() {
		return []string{s.members[0].ownURL()} // which is the same on every node
	}
	var out []string
	for _, m := range s.members {
		out = append(out, m.clientURL())
	}
	return out
}

// overrides says which resources live in which shard, as
// --etcd-servers-overrides takes it: group/resource#url;url,…
func overrides(shards []shardPlaces) string {
	var out []string
	for _, s := range shards[1:] {
		for _, r := range s.Resources {
			out = append(out, r+"#"+strings.Join(clientURLs(s), ";"))
		}
	}
	return strings.Join(out, ",")
}

// initialCluster lists the members of a shard as etcd and etcdutl take them.
func initialCluster(s shardPlaces) string {
	var out []string
	for _, m := range s.members {
		out = append(out, m.id.String()+"="+m.peerURL())
	}
	return strings.Join(out, ",")
}

// anyStacked says whether nodes have members of any shard.
func anyStacked(shards []shardPlaces) bool {
	return slices.ContainsFunc(shards, func(s shardPlaces) bool { return s.Stacked() })
}

// shardOf returns the shard of that name; it must be there.
func shardOf(shards []shardPlaces, name string) shardPlaces {
	return shards[slices.IndexFunc(shards, func(s shardPlaces) bool { return s.Name == name })]
}
