package local

import (
	"strings"

	"github.com/storm-harness/storm/clusters/flags"
	"github.com/storm-harness/storm/clusters/pki"
)

// etcdFlags are the flags of one member. dir is its data directory, token the
// name by which the members of one cluster know each other. version is the
// binary's: some flags go by another name in another minor release.
func etcdFlags(s shardLayout, member int, p *pki.PKI, dir, token, version string, over map[string]string) flags.Set {
	m := s.members[member]
	pair := etcdPair(m)
	return flags.Etcd(flags.Member{
		Name: m.id.String(), Dir: dir, ClientURL: m.url(), PeerURL: m.peerURL(), InitialCluster: initialCluster(s), Token: token,
		CA: p.Crt(pki.ShardClients(s.Name)), PeerCA: p.Crt(pki.ShardCA(s.Name)), Cert: p.Crt(pair), Key: p.Key(pair),
	}, s.Shard, version, over)
}

func etcdPair(m site) string { return "etcd/" + m.id.String() }

// initialCluster lists the members of a shard as etcd and etcdutl take them.
func initialCluster(s shardLayout) string {
	var out []string
	for _, m := range s.members {
		out = append(out, m.id.String()+"="+m.peerURL())
	}
	return strings.Join(out, ",")
}
