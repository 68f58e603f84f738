package local

import (
	"strconv"
	"strings"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/flags"
	"github.com/storm-harness/storm/clusters/pki"
)

// serviceRange is where Services have their addresses from; nobody routes them.
const serviceRange = "10.96.0.0/16"

const serviceIssuer = "https://kubernetes.default.svc.cluster.local"

// apiServerNames are the names under which pods know the apiserver.
var apiServerNames = []string{
	"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost",
}

// clientQPS is what controller managers and schedulers may ask of the
// apiserver. Their own defaults of 20 and 50 a second would be the slowest
// part of every run, and hide what the control plane can do.
const clientQPS = 1000

// apiServerFlags are the flags of one apiserver: what kubeadm sets, without
// bootstrap tokens, and with every member of every shard named.
func apiServerFlags(l layout, i int, p *pki.PKI, d clusters.Deployment, over map[string]string) flags.Set {
	s := l.apiservers[i]
	pair := s.id.String()
	fs := flags.Of(
		"advertise-address", s.advertise.String(),
		"bind-address", s.addr.String(),
		"secure-port", strconv.Itoa(s.port),
		"allow-privileged", "true",
		"authorization-mode", "Node,RBAC",
		"enable-admission-plugins", "NodeRestriction",
		"client-ca-file", p.Crt(pki.ClusterCA),
		"tls-cert-file", p.Crt(pair),
		"tls-private-key-file", p.Key(pair),
		"etcd-cafile", p.Crt(pki.EtcdTrust),
		"etcd-certfile", p.Crt(pki.APIEtcdPair),
		"etcd-keyfile", p.Key(pki.APIEtcdPair),
		"etcd-servers", clientURLs(l.shards[0], i, ","),
	)
	if o := overrides(l, i); o != "" {
		fs = append(fs, flags.Of("etcd-servers-overrides", o)...)
	}
	fs = append(fs, flags.Of(
		"kubelet-client-certificate", p.Crt(pki.APIKubeletPair),
		"kubelet-client-key", p.Key(pki.APIKubeletPair),
		"kubelet-preferred-address-types", "InternalIP,ExternalIP,Hostname",
		"proxy-client-cert-file", p.Crt(pki.FrontPair),
		"proxy-client-key-file", p.Key(pki.FrontPair),
		"requestheader-allowed-names", pki.FrontPair,
		"requestheader-client-ca-file", p.Crt(pki.FrontCA),
		"requestheader-extra-headers-prefix", "X-Remote-Extra-",
		"requestheader-group-headers", "X-Remote-Group",
		"requestheader-username-headers", "X-Remote-User",
		"service-account-issuer", serviceIssuer,
		"service-account-key-file", p.Pub(pki.ServiceKey),
		"service-account-signing-key-file", p.Key(pki.ServiceKey),
		"service-cluster-ip-range", serviceRange,
		"profiling", "false",
	)...)
	return fs.Deployed(d, over)
}

// clientURLs are the members of a shard that the i-th apiserver asks: all, or its
// own alone.
func clientURLs(s shardLayout, i int, separator string) string {
	members := s.members
	if s.Stacked() {
		members = members[i : i+1]
	}
	var out []string
	for _, m := range members {
		out = append(out, m.url())
	}
	return strings.Join(out, separator)
}

// overrides says to the i-th apiserver which resources live in which shard, as
// --etcd-servers-overrides takes it: group/resource#url;url,…
func overrides(l layout, i int) string {
	var out []string
	for _, s := range l.shards[1:] {
		for _, r := range s.Resources {
			out = append(out, r+"#"+clientURLs(s, i, ";"))
		}
	}
	return strings.Join(out, ",")
}

// controllerManagerFlags are the flags of one controller manager.
func controllerManagerFlags(s site, p *pki.PKI, kubeconfig string, d clusters.Deployment, over map[string]string) flags.Set {
	fs := append(controllerFlags(s, p, kubeconfig), flags.Of(
		"cluster-signing-cert-file", p.Crt(pki.ClusterCA),
		"cluster-signing-key-file", p.Key(pki.ClusterCA),
		"root-ca-file", p.Crt(pki.ClusterCA),
		"service-account-private-key-file", p.Key(pki.ServiceKey),
		"service-cluster-ip-range", serviceRange,
		"use-service-account-credentials", "true",
	)...)
	return fs.Deployed(d, over)
}

// schedulerFlags are the flags of one scheduler.
func schedulerFlags(s site, p *pki.PKI, kubeconfig string, d clusters.Deployment, over map[string]string) flags.Set {
	return controllerFlags(s, p, kubeconfig).Deployed(d, over)
}

// controllerFlags are what controller managers and schedulers have in common.
func controllerFlags(s site, p *pki.PKI, kubeconfig string) flags.Set {
	pair := s.id.String()
	return flags.Of(
		"kubeconfig", kubeconfig,
		"authentication-kubeconfig", kubeconfig,
		"authorization-kubeconfig", kubeconfig,
		"bind-address", s.addr.String(),
		"secure-port", strconv.Itoa(s.port),
		"client-ca-file", p.Crt(pki.ClusterCA),
		"requestheader-client-ca-file", p.Crt(pki.FrontCA),
		"tls-cert-file", p.Crt(pair),
		"tls-private-key-file", p.Key(pair),
		"leader-elect", "true",
		"kube-api-qps", strconv.Itoa(clientQPS),
		"kube-api-burst", strconv.Itoa(2*clientQPS),
		"profiling", "false",
	)
}
