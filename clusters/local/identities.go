package local

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/storm-harness/storm/clusters"
)

// Where on the slot's loopback addresses things are: nine of each kind at most.
const (
	loopbackAPI       = 0
	loopbackManager   = 20
	loopbackScheduler = 40
	loopbackMembers   = 60
	advertised        = 190 // of the slot's host addresses; nothing is there
	mostReplicas      = 9
)

// The usual ports.
const (
	portClient    = 2379
	portPeer      = 2380
	portAPI       = 6443
	portManager   = 10257
	portScheduler = 10259
)

// identities makes the certificates that do not depend on the topology, and
// the kubeconfigs.
func (c *Cluster) identities() error {
	var err error
	if c.pki, err = newPKI(filepath.Join(c.o.Dir, "pki")); err != nil {
		return err
	}
	loopback := func(first int) (ips []net.IP) {
		for i := range mostReplicas {
			ips = append(ips, net.IP(c.slot.LoopbackAddr(first+i).AsSlice()))
		}
		return ips
	}
	apiIPs := append(loopback(loopbackAPI), net.ParseIP(serviceFirst))
	for i := range mostReplicas {
		apiIPs = append(apiIPs, net.IP(c.slot.HostAddr(advertised+i).AsSlice()))
	}
	for _, cert := range []struct {
		by *authority
		id identity
	}{
		{c.pki.etcd, identity{name: "etcd-client", common: "storm-etcd-client"}},
		{c.pki.kube, identity{name: "kube-apiserver", common: "kube-apiserver", ips: apiIPs,
			dns: []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"}}},
		{c.pki.kube, identity{name: "kube-controller-manager", common: "kube-controller-manager", ips: loopback(loopbackManager)}},
		{c.pki.kube, identity{name: "kube-scheduler", common: "kube-scheduler", ips: loopback(loopbackScheduler)}},
		{c.pki.kube, identity{name: "admin", common: "storm-admin", groups: []string{"system:masters"}}},
		{c.pki.kube, identity{name: "controller-manager-client", common: "system:kube-controller-manager"}},
		{c.pki.kube, identity{name: "scheduler-client", common: "system:kube-scheduler"}},
		{c.pki.frontProxy, identity{name: "front-proxy-client", common: "front-proxy-client"}},
	} {
		if err := c.pki.issue(cert.by, cert.id); err != nil {
			return err
		}
	}
	if c.etcdTLS, err = c.pki.clientTLS(c.pki.etcd, "etcd-client"); err != nil {
		return err
	}
	for file, cert := range map[string]string{
		c.Kubeconfig():                       "admin",
		c.kubeconfigOf("controller-manager"): "controller-manager-client",
		c.kubeconfigOf("scheduler"):          "scheduler-client",
	} {
		if err := c.writeKubeconfig(file, cert); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) kubeconfigOf(name string) string {
	return filepath.Join(c.o.Dir, name+".kubeconfig")
}

// writeKubeconfig writes a kubeconfig for the first apiserver, with everything
// embedded, so that it works wherever it is copied on this machine.
func (c *Cluster) writeKubeconfig(file, cert string) error {
	var data [3][]byte
	for i, path := range []string{c.pki.kube.file, c.pki.file(cert + ".crt"), c.pki.file(cert + ".key")} {
		var err error
		if data[i], err = os.ReadFile(path); err != nil {
			return err
		}
	}
	const name = "storm"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: c.apiserver(0).url(), CertificateAuthorityData: data[0]}
	config.AuthInfos[cert] = &clientcmdapi.AuthInfo{ClientCertificateData: data[1], ClientKeyData: data[2]}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: cert}
	config.CurrentContext = name
	return clientcmd.WriteToFile(*config, file) // with mode 0600
}

func (c *Cluster) apiserver(i int) server {
	return c.server(clusters.KindAPIServer, i, loopbackAPI, portAPI)
}

func (c *Cluster) server(kind clusters.Kind, i, first, port int) server {
	return server{
		id: clusters.ID{Kind: kind, Index: i}, address: c.slot.LoopbackAddr(first + i).String(),
		port: c.slot.Port(port), advertise: c.slot.HostAddr(advertised + i).String(),
	}
}

// memberIdentity makes a member's certificate, for its server, its peers and
// itself as a client of them.
func (c *Cluster) memberIdentity(m member) error {
	ip := net.ParseIP(m.address)
	if ip == nil {
		return fmt.Errorf("%s has no address: %q", m.id, m.address)
	}
	return c.pki.issue(c.pki.etcd, identity{name: m.id.String(), common: m.id.String(), ips: []net.IP{ip}, dns: []string{m.id.String()}})
}
