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
	etcdClientPort = 2379
	etcdPeerPort   = 2380
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

// place is where an etcd member is: a host of its own.
type place struct {
	id   clusters.ID
	addr netip.Addr
}

func (p place) clientURL() string { return fmt.Sprintf("https://%s:%d", p.addr, etcdClientPort) }
func (p place) peerURL() string   { return fmt.Sprintf("https://%s:%d", p.addr, etcdPeerPort) }

// shardPlaces is an etcd cluster and where its members are.
type shardPlaces struct {
	clusters.Shard
	members []place
}

// places gives every member of a defaulted spec its place; main comes first. Where
// that is stacked, its members have the addresses of the nodes, as far as these
// are known.
func places(spec clusters.Spec, slot network.Slot, nodes []*node) []shardPlaces {
	var out []shardPlaces
	next := 0
	for _, shard := range spec.AllShards() {
		s := shardPlaces{Shard: shard}
		for i := range shard.Members {
			p := place{id: clusters.ID{Kind: clusters.KindEtcd, Shard: shard.Name, Index: i}}
			switch {
			case shard.Name != clusters.MainShard || !spec.Stacked():
				p.addr = slot.HostAddr(next)
				next++
			case i < len(nodes):
				p.addr = nodes[i].addr
			}
			s.members = append(s.members, p)
		}
		out = append(out, s)
	}
	return out
}

func clientURLs(s shardPlaces) []string {
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

// shardOf returns the shard of that name; it must be there.
func shardOf(shards []shardPlaces, name string) shardPlaces {
	return shards[slices.IndexFunc(shards, func(s shardPlaces) bool { return s.Name == name })]
}
