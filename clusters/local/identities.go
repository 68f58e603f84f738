package local

import (
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/storm-harness/storm/clusters/pki"
)

// serviceFirst is the first address of the range: the apiservers' own Service.
var serviceFirst = netip.MustParsePrefix(serviceRange).Addr().Next()

// loopback is where connections from the machine's own network come from,
// whichever loopback address they go to; etcd checks its clients' addresses
// against their certificates, and members are clients of each other.
var loopback = netip.MustParseAddr("127.0.0.1")

// identities makes the certificates and kubeconfigs of everything in a layout,
// as far as they are not there.
func (c *Cluster) identities(l layout) error {
	for _, s := range l.shards {
		for _, m := range s.members {
			if err := c.pki.Ensure(etcdPair(m), pki.Certificate{
				CA: pki.ShardCA(s.Name), Common: m.id.String(), Server: true, Addrs: []netip.Addr{m.addr, loopback},
			}); err != nil {
				return err
			}
		}
	}
	for _, s := range l.apiservers {
		if err := c.pki.Ensure(s.id.String(), pki.Certificate{
			CA: pki.ClusterCA, Common: "kube-apiserver", Server: true,
			Names: apiServerNames, Addrs: []netip.Addr{s.addr, s.advertise, loopback, serviceFirst},
		}); err != nil {
			return err
		}
	}
	for i, s := range l.apiservers {
		file := c.Kubeconfig()
		if i > 0 {
			file = c.kubeconfigOf(s)
		}
		if err := c.pki.WriteKubeconfig(file, s.url(), c.name(), pki.AdminPair); err != nil {
			return err
		}
	}
	for who, sites := range map[string][]site{"system:kube-controller-manager": l.managers, "system:kube-scheduler": l.schedulers} {
		for i, s := range sites {
			if err := c.pki.Ensure(s.id.String(), pki.Certificate{CA: pki.ClusterCA, Common: who, Server: true, Addrs: []netip.Addr{s.addr}}); err != nil {
				return err
			}
			if len(l.apiservers) == 0 {
				return fmt.Errorf("%s has no apiserver to work with", s.id)
			}
			// As with kubeadm, each works with one apiserver, its own.
			server := l.apiservers[i%len(l.apiservers)].url()
			if err := c.pki.WriteKubeconfig(c.kubeconfigOf(s), server, c.name(), s.id.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// kubeconfigOf is the file of a component's own kubeconfig; that of an
// apiserver but the first is the admin's for it.
func (c *Cluster) kubeconfigOf(s site) string {
	return filepath.Join(c.o.Dir, s.id.String()+".kubeconfig")
}
