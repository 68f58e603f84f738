package existing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/internal/rundir"
)

// etcd looks at the members that the user gave.
func (s *Seen) etcd(ctx context.Context, t Target) (err error) {
	if len(t.Etcd) == 0 {
		return nil
	}
	if s.etcdTLS, err = t.EtcdTLS.config(); err != nil {
		return err
	}
	for _, shard := range t.Etcd {
		summary := rundir.ShardSummary{Name: shard.Name, Members: len(shard.Endpoints)}
		for i, endpoint := range shard.Endpoints {
			endpoint = strings.TrimSuffix(endpoint, "/")
			version, err := s.member(ctx, endpoint)
			if err != nil {
				return fmt.Errorf("--etcd-endpoints: %s of shard %s: %w: check the address, and --etcd-cacert, --etcd-cert and --etcd-key", endpoint, shard.Name, err)
			}
			summary.Version = "v" + version
			s.components = append(s.components, &component{
				id:        clusters.ID{Kind: clusters.KindEtcd, Shard: shard.Name, Index: i},
				endpoints: clusters.Endpoints{Client: endpoint, Metrics: endpoint + "/metrics"},
			})
		}
		s.shards = append(s.shards, summary)
		s.provenance = append(s.provenance, rundir.Provenance{Component: string(clusters.KindEtcd), Version: summary.Version, Origin: "existing cluster, shard " + shard.Name})
	}
	return nil
}

// member asks a member for its version.
func (s *Seen) member(ctx context.Context, endpoint string) (string, error) {
	c, err := etcd.Open(endpoint, s.etcdTLS)
	if err != nil {
		return "", err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	status, err := c.Status(ctx)
	return status.Version, err
}

// config reads the certificates.
func (f Files) config() (*tls.Config, error) {
	if f.CA == "" || f.Cert == "" || f.Key == "" {
		return nil, fmt.Errorf("--etcd-endpoints: name the certificates too: --etcd-cacert, --etcd-cert and --etcd-key")
	}
	ca, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, fmt.Errorf("--etcd-cacert: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("--etcd-cacert: %s has no certificate", f.CA)
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("--etcd-cert, --etcd-key: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool, Certificates: []tls.Certificate{pair}}, nil
}
