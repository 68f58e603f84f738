package pki

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/storm-harness/storm/clusters"
)

func made(t *testing.T, dir string) *PKI {
	t.Helper()
	p, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func leaf(t *testing.T, p *PKI, name string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(p.Crt(name), p.Key(name))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

// contents reads every file below a directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		b, err := os.ReadFile(path)
		out[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCertificatesAreKeptAndPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	first := contents(t, made(t, dir).Dir)
	if len(first) == 0 {
		t.Fatal("nothing was made")
	}
	p := made(t, dir)
	addr := netip.MustParseAddr("127.64.0.1")
	server := Certificate{CA: ClusterCA, Common: "kube-apiserver", Server: true, Names: []string{"kubernetes"}, Addrs: []netip.Addr{addr}}
	if err := p.Ensure("kube-apiserver-0", server); err != nil {
		t.Fatal(err)
	}
	one := leaf(t, p, "kube-apiserver-0")
	if err := p.Ensure("kube-apiserver-0", server); err != nil {
		t.Fatal(err)
	}
	if !leaf(t, p, "kube-apiserver-0").Equal(one) {
		t.Error("a certificate that served was made anew")
	}
	server.Addrs = append(server.Addrs, netip.MustParseAddr("127.64.0.2"))
	if err := p.Ensure("kube-apiserver-0", server); err != nil {
		t.Fatal(err)
	}
	if leaf(t, p, "kube-apiserver-0").Equal(one) {
		t.Error("a certificate without the new address was kept")
	}
	for path, b := range contents(t, dir) {
		if was, ok := first[path]; ok && was != b {
			t.Errorf("%s changed", path)
		}
	}
}

// The cluster's authority has a key as kubeadm makes it, in the form that the
// controller manager reads; what it signs is verified with every request.
func TestTheClustersAuthorityIsRSA(t *testing.T) {
	p := made(t, t.TempDir())
	for ca, want := range map[string]x509.PublicKeyAlgorithm{ClusterCA: x509.RSA, EtcdCA: x509.ECDSA, FrontCA: x509.ECDSA} {
		if got := leaf(t, p, ca).PublicKeyAlgorithm; got != want {
			t.Errorf("%s: %s, want %s", ca, got, want)
		}
	}
	text, err := os.ReadFile(p.Key(ClusterCA))
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "RSA PRIVATE KEY" {
		t.Fatalf("the key is no PEM of an RSA key: %v", block)
	}
	if _, err := x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
		t.Error(err)
	}
	issued, err := p.Issue("system:node:one", "system:nodes")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(issued.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf(t, p, ClusterCA))
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		t.Error(err)
	}
}

func TestCertificatesServeTheirPurposeOnly(t *testing.T) {
	p := made(t, t.TempDir())
	addr := netip.MustParseAddr("198.18.0.10")
	if err := p.Ensure("etcd/etcd-main-0", Certificate{CA: EtcdCA, Common: "etcd-main-0", Server: true, Addrs: []netip.Addr{addr}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Shards([]clusters.Shard{{Name: "main"}, {Name: "events"}, {Name: "pods"}}); err != nil {
		t.Fatal(err)
	}
	if err := p.Ensure("etcd/etcd-events-0", Certificate{CA: ShardCA("events"), Common: "etcd-events-0", Server: true, Addrs: []netip.Addr{addr}}); err != nil {
		t.Fatal(err)
	}
	pool := func(ca string) *x509.CertPool {
		text, err := os.ReadFile(p.Crt(ca))
		roots := x509.NewCertPool()
		if err != nil || !roots.AppendCertsFromPEM(text) {
			t.Fatalf("%s: %v", ca, err)
		}
		return roots
	}
	client, server := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, c := range []struct {
		name, ca string
		usage    []x509.ExtKeyUsage
		host     string
		ok       bool
	}{
		{"etcd/etcd-main-0", EtcdCA, server, "198.18.0.10", true},
		{"etcd/etcd-main-0", EtcdCA, client, "", true}, // of its peers
		{"etcd/etcd-main-0", EtcdCA, server, "198.18.0.11", false},
		{"etcd/etcd-main-0", ClusterCA, server, "198.18.0.10", false},
		// A member of a further shard is none of another's, and no client of it.
		{"etcd/etcd-events-0", ShardCA("events"), server, "198.18.0.10", true},
		{"etcd/etcd-events-0", ShardCA("events"), client, "", true},
		{"etcd/etcd-events-0", ShardClients("events"), client, "", true}, // of itself
		{"etcd/etcd-events-0", EtcdTrust, server, "198.18.0.10", true},
		{"etcd/etcd-events-0", ShardClients("main"), client, "", false},
		{"etcd/etcd-events-0", ShardClients("pods"), client, "", false},
		{"etcd/etcd-main-0", ShardCA("events"), client, "", false},
		{"etcd/etcd-main-0", ShardClients("events"), client, "", true}, // its authority is that of the clients
		{EtcdClientPair, ShardClients("events"), client, "", true},
		{EtcdClientPair, EtcdCA, client, "", true},
		{EtcdClientPair, EtcdCA, server, "", false},
		{AdminPair, ClusterCA, client, "", true},
		{AdminPair, EtcdCA, client, "", false}, // no Kubernetes credential opens etcd
		{APIEtcdPair, ClusterCA, client, "", false},
		{FrontPair, FrontCA, client, "", true},
		{FrontPair, ClusterCA, client, "", false},
	} {
		_, err := leaf(t, p, c.name).Verify(x509.VerifyOptions{Roots: pool(c.ca), KeyUsages: c.usage, DNSName: c.host})
		if (err == nil) != c.ok {
			t.Errorf("%s by %s as %v at %q: %v", c.name, c.ca, c.usage, c.host, err)
		}
	}
	if got := leaf(t, p, AdminPair).Subject.Organization; len(got) != 1 || got[0] != "system:masters" {
		t.Errorf("the admin's groups are %v", got)
	}
}

func TestKubeconfigHoldsEverything(t *testing.T) {
	p := made(t, filepath.Join(t.TempDir(), "pki"))
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := p.WriteKubeconfig(path, "https://127.64.0.1:6443", "storm-x", AdminPair); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode: %v, %v", info.Mode(), err)
	}
	if err := os.RemoveAll(p.Dir); err != nil { // it must work without the files
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	if config.Host != "https://127.64.0.1:6443" || len(config.CAData) == 0 || len(config.CertData) == 0 || len(config.KeyData) == 0 {
		t.Errorf("it reads back as %s with %d, %d, %d bytes of certificates", config.Host, len(config.CAData), len(config.CertData), len(config.KeyData))
	}
}
