package flags

import "github.com/storm-harness/storm/clusters"

// Member is what makes an etcd member the one that it is. Paths are as the
// member sees them.
type Member struct {
	Name           string
	Dir            string // of its data
	ClientURL      string
	PeerURL        string
	InitialCluster string
	Token          string // the name by which the members of one cluster know each other
	CA             string // file of whom it trusts as a client
	PeerCA         string // and as a peer
	Cert, Key      string // its own
}

// Etcd are the flags of one member of a shard. version is the binary's: some
// flags go by another name in another minor release.
func Etcd(m Member, s clusters.Shard, version string, over map[string]string) Set {
	fs := Of(
		"name", m.Name,
		"data-dir", m.Dir,
		"listen-client-urls", m.ClientURL,
		"advertise-client-urls", m.ClientURL,
		"listen-peer-urls", m.PeerURL,
		"initial-advertise-peer-urls", m.PeerURL,
		"initial-cluster", m.InitialCluster,
		"initial-cluster-state", "new",
		"initial-cluster-token", m.Token,
		"client-cert-auth", "true",
		"trusted-ca-file", m.CA,
		"cert-file", m.Cert,
		"key-file", m.Key,
		"peer-client-cert-auth", "true",
		"peer-trusted-ca-file", m.PeerCA,
		"peer-cert-file", m.Cert,
		"peer-key-file", m.Key,
		"logger", "zap",
		"log-level", "info",
	)
	fs = append(fs, OfShard(s)...)
	return fs.With(s.Flags).With(over).SpelledFor(version)
}
