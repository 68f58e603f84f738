package pki

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"os"

	"github.com/storm-harness/storm/clusters"
)

// EtcdTrust is what clients of etcd trust: the authorities of all shards.
const EtcdTrust = "etcd/trust"

// ShardCA is the authority that signs the certificates of a shard's members. A member
// of a further shard is nobody in any other; the main shard's authority, which is
// kubeadm's, signs etcd's clients too.
func ShardCA(shard string) string {
	if shard == clusters.MainShard {
		return EtcdCA
	}
	return "etcd/" + shard + "-ca"
}

// ShardClients is what a shard's members trust of their clients: the authority of
// etcd's clients, which is the main shard's, and their own, since a member is a
// client of itself.
func ShardClients(shard string) string {
	if shard == clusters.MainShard {
		return EtcdCA
	}
	return "etcd/" + shard + "-clients"
}

// Shards makes the authorities of shards, as far as they are not there, and the files
// that say who trusts whom.
func (p *PKI) Shards(shards []clusters.Shard) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	main := p.cas[EtcdCA].cert.Raw
	all := [][]byte{main}
	for _, s := range shards {
		ca := ShardCA(s.Name)
		if ca == EtcdCA {
			continue
		}
		if p.cas[ca] == nil {
			a, err := p.authority(ca, "etcd-"+s.Name+"-ca")
			if err != nil {
				return fmt.Errorf("certificates: authority %s: %w", ca, err)
			}
			p.cas[ca] = a
		}
		own := p.cas[ca].cert.Raw
		if err := p.writeCerts(ShardClients(s.Name), main, own); err != nil {
			return err
		}
		all = append(all, own)
	}
	return p.writeCerts(EtcdTrust, all...)
}

// writeCerts writes a file of several certificates.
func (p *PKI) writeCerts(name string, certs ...[]byte) error {
	var text bytes.Buffer
	for _, der := range certs {
		if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
			return err
		}
	}
	return os.WriteFile(p.Crt(name), text.Bytes(), 0o600)
}
