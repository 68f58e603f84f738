package local

import (
	"strconv"
	"strings"

	"github.com/storm-harness/storm/clusters"
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
func apiServerFlags(l layout, i int, p *pki, d clusters.Deployment, over map[string]string) flagSet {
	s := l.apiservers[i]
	pair := s.id.String()
	fs := flagSet{
		{"advertise-address", s.advertise.String()},
		{"bind-address", s.addr.String()},
		{"secure-port", strconv.Itoa(s.port)},
		{"allow-privileged", "true"},
		{"authorization-mode", "Node,RBAC"},
		{"enable-admission-plugins", "NodeRestriction"},
		{"client-ca-file", p.crt(clusterCA)},
		{"tls-cert-file", p.crt(pair)},
		{"tls-private-key-file", p.key(pair)},
		{"etcd-cafile", p.crt(etcdCA)},
		{"etcd-certfile", p.crt(apiEtcdPair)},
		{"etcd-keyfile", p.key(apiEtcdPair)},
		{"etcd-servers", clientURLs(l.shards[0], ",")},
	}
	if o := overrides(l); o != "" {
		fs = append(fs, flag{"etcd-servers-overrides", o})
	}
	fs = append(fs, flagSet{
		{"kubelet-client-certificate", p.crt(apiKubeletPair)},
		{"kubelet-client-key", p.key(apiKubeletPair)},
		{"kubelet-preferred-address-types", "InternalIP,ExternalIP,Hostname"},
		{"proxy-client-cert-file", p.crt(frontPair)},
		{"proxy-client-key-file", p.key(frontPair)},
		{"requestheader-allowed-names", frontPair},
		{"requestheader-client-ca-file", p.crt(frontCA)},
		{"requestheader-extra-headers-prefix", "X-Remote-Extra-"},
		{"requestheader-group-headers", "X-Remote-Group"},
		{"requestheader-username-headers", "X-Remote-User"},
		{"service-account-issuer", serviceIssuer},
		{"service-account-key-file", p.pub(serviceKey)},
		{"service-account-signing-key-file", p.key(serviceKey)},
		{"service-cluster-ip-range", serviceRange},
		{"profiling", "false"},
	}...)
	return fs.deployed(d, over)
}

func clientURLs(s shardLayout, separator string) string {
	var out []string
	for _, m := range s.members {
		out = append(out, m.url())
	}
	return strings.Join(out, separator)
}

// overrides says which resources live in which shard, as
// --etcd-servers-overrides takes it: group/resource#url;url,…
func overrides(l layout) string {
	var out []string
	for _, s := range l.shards[1:] {
		for _, r := range s.Resources {
			out = append(out, r+"#"+clientURLs(s, ";"))
		}
	}
	return strings.Join(out, ",")
}

// controllerManagerFlags are the flags of one controller manager.
func controllerManagerFlags(s site, p *pki, kubeconfig string, d clusters.Deployment, over map[string]string) flagSet {
	fs := append(controllerFlags(s, p, kubeconfig), flagSet{
		{"cluster-signing-cert-file", p.crt(clusterCA)},
		{"cluster-signing-key-file", p.key(clusterCA)},
		{"root-ca-file", p.crt(clusterCA)},
		{"service-account-private-key-file", p.key(serviceKey)},
		{"service-cluster-ip-range", serviceRange},
		{"use-service-account-credentials", "true"},
	}...)
	return fs.deployed(d, over)
}

// schedulerFlags are the flags of one scheduler.
func schedulerFlags(s site, p *pki, kubeconfig string, d clusters.Deployment, over map[string]string) flagSet {
	return controllerFlags(s, p, kubeconfig).deployed(d, over)
}

// controllerFlags are what controller managers and schedulers have in common.
func controllerFlags(s site, p *pki, kubeconfig string) flagSet {
	pair := s.id.String()
	return flagSet{
		{"kubeconfig", kubeconfig},
		{"authentication-kubeconfig", kubeconfig},
		{"authorization-kubeconfig", kubeconfig},
		{"bind-address", s.addr.String()},
		{"secure-port", strconv.Itoa(s.port)},
		{"client-ca-file", p.crt(clusterCA)},
		{"requestheader-client-ca-file", p.crt(frontCA)},
		{"tls-cert-file", p.crt(pair)},
		{"tls-private-key-file", p.key(pair)},
		{"leader-elect", "true"},
		{"kube-api-qps", strconv.Itoa(clientQPS)},
		{"kube-api-burst", strconv.Itoa(2 * clientQPS)},
		{"profiling", "false"},
	}
}

// deployed returns the flags with the deployment's gates and flags over them.
func (fs flagSet) deployed(d clusters.Deployment, over map[string]string) flagSet {
	fs = fs.with(d.Flags).with(over)
	if len(d.FeatureGates) > 0 {
		fs = fs.with(map[string]string{gatesFlag: gates(d.FeatureGates, fs.value(gatesFlag))})
	}
	return fs
}
