package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// PKI is the cluster's certificates and keys, laid out as kubeadm does:
//
//	ca.crt, ca.key                    the cluster's authority
//	etcd/ca.crt, etcd/ca.key          the authority of the main shard of etcd, and of etcd's clients:
//	                                  no Kubernetes credential opens etcd
//	etcd/SHARD-ca.crt, .key           the authority of a further shard's members
//	etcd/SHARD-clients.crt            whom these let in
//	etcd/trust.crt                    whom clients of etcd trust: the authorities of all shards
//	front-proxy-ca.crt, .key          the authority of the aggregation layer
//	sa.key, sa.pub                    signs and checks service account tokens
//	NAME.crt, NAME.key                a certificate a component and purpose
//
// Every file has mode 0600. What is there is kept: a component that is added
// gets its certificates, and those of the others stay as they are.
type PKI struct {
	Dir string

	mu     sync.Mutex
	cas    map[string]*authority
	shared *ecdsa.PrivateKey // of the certificates that are issued
}

// The authorities.
const (
	ClusterCA = "ca"
	EtcdCA    = "etcd/ca"
	FrontCA   = "front-proxy-ca"
)

// The shared certificates and keys.
const (
	AdminPair      = "admin"                    // for people and storm: system:masters
	EtcdClientPair = "etcd/client"              // for storm
	APIEtcdPair    = "apiserver-etcd-client"    // for the apiservers towards etcd
	APIKubeletPair = "apiserver-kubelet-client" // for the apiservers towards kubelets
	FrontPair      = "front-proxy-client"       // for the apiservers towards aggregated ones
	ServiceKey     = "sa"                       // no certificate: a bare key pair
)

// lifetime of a certificate; a cluster lives for hours. They begin an hour
// ago, so that a clock that is set back does no harm.
const lifetime = 365 * 24 * time.Hour

// authority is a certificate that signs others.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// Open opens the directory, and makes it with its authorities, shared
// certificates and service account key, as far as they are not there.
func Open(dir string) (*PKI, error) {
	p := &PKI{Dir: dir, cas: map[string]*authority{}}
	if err := os.MkdirAll(filepath.Join(dir, "etcd"), 0o700); err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	for name, common := range map[string]string{ClusterCA: "kubernetes", EtcdCA: "etcd-ca", FrontCA: "front-proxy-ca"} {
		ca, err := p.authority(name, common)
		if err != nil {
			return nil, fmt.Errorf("certificates: authority %s: %w", name, err)
		}
		p.cas[name] = ca
	}
	for name, c := range map[string]Certificate{
		AdminPair:      {CA: ClusterCA, Common: "kubernetes-admin", Groups: []string{"system:masters"}},
		APIKubeletPair: {CA: ClusterCA, Common: "kube-apiserver-kubelet-client", Groups: []string{"system:masters"}},
		EtcdClientPair: {CA: EtcdCA, Common: "storm"},
		APIEtcdPair:    {CA: EtcdCA, Common: "kube-apiserver-etcd-client"},
		FrontPair:      {CA: FrontCA, Common: "front-proxy-client"},
	} {
		if err := p.Ensure(name, c); err != nil {
			return nil, err
		}
	}
	return p, p.ensureServiceKey()
}

// Certificate says what a certificate is for.
type Certificate struct {
	CA     string
	Common string
	Groups []string // Kubernetes groups
	Server bool     // it also serves, at these names and addresses
	Names  []string
	Addrs  []netip.Addr
}

// Ensure makes the certificate and its key, unless there is one for the same
// names and addresses.
func (p *PKI) Ensure(name string, c Certificate) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fits(name, c) {
		return nil
	}
	ca := p.cas[c.CA]
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", name, err)
	}
	t, err := clientTemplate(c.Common, c.Groups)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", name, err)
	}
	if c.Server {
		t.ExtKeyUsage = append(t.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		t.DNSNames = c.Names
		for _, a := range c.Addrs {
			t.IPAddresses = append(t.IPAddresses, a.AsSlice())
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca.cert, key.Public(), ca.key)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", name, err)
	}
	return p.write(name, der, key)
}

// fits says whether the certificate there is serves the wanted purpose.
func (p *PKI) fits(name string, c Certificate) bool {
	pair, err := tls.LoadX509KeyPair(p.Crt(name), p.Key(name))
	if err != nil {
		return false
	}
	has := func(a netip.Addr) bool {
		return slices.ContainsFunc(pair.Leaf.IPAddresses, func(ip net.IP) bool { return ip.Equal(a.AsSlice()) })
	}
	for _, a := range c.Addrs {
		if !has(a) {
			return false
		}
	}
	for _, n := range c.Names {
		if !slices.Contains(pair.Leaf.DNSNames, n) {
			return false
		}
	}
	return bytes.Equal(pair.Leaf.RawIssuer, p.cas[c.CA].cert.RawSubject)
}

// authority opens a certificate authority, or makes it.
func (p *PKI) authority(name, common string) (*authority, error) {
	pair, err := tls.LoadX509KeyPair(p.Crt(name), p.Key(name))
	if err == nil {
		return &authority{cert: pair.Leaf, key: pair.PrivateKey.(crypto.Signer)}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key, err := authorityKey(name)
	if err != nil {
		return nil, err
	}
	t, err := template(common, nil)
	if err != nil {
		return nil, err
	}
	t.IsCA, t.BasicConstraintsValid = true, true
	t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if err := p.write(name, der, key); err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert: cert, key: key}, err
}

// authorityKey makes the key of an authority. That of the cluster's is RSA, as
// kubeadm makes it: the API server verifies a client's certificate with every
// request, which takes it 37 µs so, and 90 µs with a P-256 key. The price is a
// millisecond for each certificate that is signed, where every simulated node has one.
func authorityKey(name string) (crypto.Signer, error) {
	if name == ClusterCA {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// ensureServiceKey makes the key pair of the service accounts' tokens.
func (p *PKI) ensureServiceKey() error {
	if _, err := os.Stat(p.Key(ServiceKey)); err == nil {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	if err := writePEM(p.Pub(ServiceKey), "PUBLIC KEY", public); err != nil {
		return err
	}
	return p.writeKey(ServiceKey, key)
}

func (p *PKI) write(name string, der []byte, key crypto.Signer) error {
	if err := p.writeKey(name, key); err != nil {
		return err
	}
	return writePEM(p.Crt(name), "CERTIFICATE", der)
}

// writeKey writes a key in the form that kubeadm writes one of its kind in.
func (p *PKI) writeKey(name string, key crypto.Signer) error {
	if of, is := key.(*rsa.PrivateKey); is {
		return writePEM(p.Key(name), "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(of))
	}
	der, err := x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
	if err != nil {
		return err
	}
	return writePEM(p.Key(name), "EC PRIVATE KEY", der)
}

// Crt is the file of a certificate.
func (p *PKI) Crt(name string) string { return filepath.Join(p.Dir, name+".crt") }

// Key is the file of its private key.
func (p *PKI) Key(name string) string { return filepath.Join(p.Dir, name+".key") }

// Pub is the file of a public key alone.
func (p *PKI) Pub(name string) string { return filepath.Join(p.Dir, name+".pub") }

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func template(common string, groups []string) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: common, Organization: groups},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(lifetime),
	}, nil
}

// clientTemplate is the template of a client's certificate.
func clientTemplate(common string, groups []string) (*x509.Certificate, error) {
	t, err := template(common, groups)
	if err != nil {
		return nil, err
	}
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return t, nil
}

// Issue makes a client certificate that stays in memory. All of them share one
// key: thousands of simulated nodes need names of their own, and nobody steals
// one from the other.
func (p *PKI) Issue(user string, groups ...string) (tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shared == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return tls.Certificate{}, err
		}
		p.shared = key
	}
	t, err := clientTemplate(user, groups)
	if err != nil {
		return tls.Certificate{}, err
	}
	ca := p.cas[ClusterCA]
	der, err := x509.CreateCertificate(rand.Reader, t, ca.cert, p.shared.Public(), ca.key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate of %s: %w", user, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: p.shared}, nil
}

// ClientTLS is the TLS configuration of a client with that certificate, of servers
// whose certificates an authority, or one of several, has signed.
func (p *PKI) ClientTLS(pairName, ca string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(p.Crt(pairName), p.Key(pairName))
	if err != nil {
		return nil, err
	}
	trusted, err := os.ReadFile(p.Crt(ca))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(trusted) {
		return nil, fmt.Errorf("%s holds no certificate", p.Crt(ca))
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
