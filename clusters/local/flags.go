package local

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/storm-harness/storm/clusters"
)

// flags are a component's command line, by name without the dashes.
type flags map[string]string

// with returns the flags with others over them; the value "-" removes one.
func (f flags) with(over ...map[string]string) flags {
	out := maps.Clone(f)
	for _, m := range over {
		for k, v := range m {
			if v == "-" {
				delete(out, k)
			} else {
				out[k] = v
			}
		}
	}
	return out
}

// argv returns the command line, in order of name.
func (f flags) argv(binary string) []string {
	out := []string{binary}
	for _, k := range slices.Sorted(maps.Keys(f)) {
		out = append(out, "--"+k+"="+f[k])
	}
	return out
}

// member is where a member of a shard is.
type member struct {
	id           clusters.ID
	address      string // of its host
	client, peer int    // ports
	dir          string // data
}

func (m member) clientURL() string { return fmt.Sprintf("https://%s:%d", m.address, m.client) }
func (m member) peerURL() string   { return fmt.Sprintf("https://%s:%d", m.address, m.peer) }

// initialCluster is etcd's word for who is in the shard.
func initialCluster(members []member) string {
	var parts []string
	for _, m := range members {
		parts = append(parts, m.id.String()+"="+m.peerURL())
	}
	return strings.Join(parts, ",")
}

// etcdFlags are the flags of one member. version is the resolved one: names of
// flags changed between 3.5 and 3.6.
func etcdFlags(m member, of []member, sh clusters.Shard, version, token string, p *pki) flags {
	cert, key := p.file(m.id.String()+".crt"), p.file(m.id.String()+".key")
	f := flags{
		"name":                        m.id.String(),
		"data-dir":                    m.dir,
		"listen-client-urls":          m.clientURL(),
		"advertise-client-urls":       m.clientURL(),
		"listen-peer-urls":            m.peerURL(),
		"initial-advertise-peer-urls": m.peerURL(),
		"initial-cluster":             initialCluster(of),
		"initial-cluster-token":       token,
		"initial-cluster-state":       "new",
		"client-cert-auth":            "true",
		"trusted-ca-file":             p.etcd.file,
		"cert-file":                   cert,
		"key-file":                    key,
		"peer-client-cert-auth":       "true",
		"peer-trusted-ca-file":        p.etcd.file,
		"peer-cert-file":              cert,
		"peer-key-file":               key,
		"logger":                      "zap",
		"log-level":                   "info",
	}
	// As kubeadm sets them: the apiserver's watch cache lives on progress
	// notifications, and a member must not start on data that differs.
	if semver.Compare(semver.MajorMinor(version), "v3.6") >= 0 {
		f["watch-progress-notify-interval"] = "5s"
		f["feature-gates"] = "InitialCorruptCheck=true"
	} else {
		f["experimental-watch-progress-notify-interval"] = "5s"
		f["experimental-initial-corrupt-check"] = "true"
	}
	if sh.HeartbeatInterval > 0 {
		f["heartbeat-interval"] = strconv.FormatInt(sh.HeartbeatInterval.D().Milliseconds(), 10)
	}
	if sh.ElectionTimeout > 0 {
		f["election-timeout"] = strconv.FormatInt(sh.ElectionTimeout.D().Milliseconds(), 10)
	}
	if sh.SnapshotCount > 0 {
		f["snapshot-count"] = strconv.Itoa(sh.SnapshotCount)
	}
	if sh.Quota > 0 {
		f["quota-backend-bytes"] = strconv.FormatInt(sh.Quota.Bytes(), 10)
	}
	return f.with(sh.Flags)
}

// server is where a Kubernetes component listens.
type server struct {
	id        clusters.ID
	address   string // on loopback
	port      int
	advertise string // of apiservers: an address that is no loopback
}

func (s server) url() string { return fmt.Sprintf("https://%s:%d", s.address, s.port) }

// serviceRange is where Services get their addresses; nothing routes there.
const (
	serviceRange = "10.96.0.0/16"
	serviceFirst = "10.96.0.1"
)

// apiserverFlags are the flags of one apiserver. shards gives the members of
// each shard; overrides are built from the resources of all but the main one.
func apiserverFlags(s server, spec clusters.Spec, shards map[string][]member, p *pki) flags {
	f := flags{
		"bind-address":                       s.address,
		"secure-port":                        strconv.Itoa(s.port),
		"advertise-address":                  s.advertise,
		"apiserver-count":                    strconv.Itoa(*spec.Kubernetes.APIServer.Replicas),
		"etcd-servers":                       urls(shards[clusters.MainShard], ","),
		"etcd-cafile":                        p.etcd.file,
		"etcd-certfile":                      p.file("etcd-client.crt"),
		"etcd-keyfile":                       p.file("etcd-client.key"),
		"client-ca-file":                     p.kube.file,
		"tls-cert-file":                      p.file("kube-apiserver.crt"),
		"tls-private-key-file":               p.file("kube-apiserver.key"),
		"requestheader-client-ca-file":       p.frontProxy.file,
		"requestheader-allowed-names":        "front-proxy-client",
		"requestheader-username-headers":     "X-Remote-User",
		"requestheader-group-headers":        "X-Remote-Group",
		"requestheader-extra-headers-prefix": "X-Remote-Extra-",
		"proxy-client-cert-file":             p.file("front-proxy-client.crt"),
		"proxy-client-key-file":              p.file("front-proxy-client.key"),
		"service-account-issuer":             "https://kubernetes.default.svc",
		"service-account-key-file":           p.file("sa.pub"),
		"service-account-signing-key-file":   p.file("sa.key"),
		"service-cluster-ip-range":           serviceRange,
		"authorization-mode":                 "Node,RBAC",
		"enable-admission-plugins":           "NodeRestriction",
		"allow-privileged":                   "true",
		"profiling":                          "false",
		"v":                                  "1",
	}
	var overrides []string
	for _, sh := range spec.Etcd.Shards {
		for _, resource := range sh.Resources {
			overrides = append(overrides, resource+"#"+urls(shards[sh.Name], ";"))
		}
	}
	if len(overrides) > 0 {
		f["etcd-servers-overrides"] = strings.Join(overrides, ",")
	}
	return f.with(gates(spec.Kubernetes.APIServer), spec.Kubernetes.APIServer.Flags)
}

// controllerManagerFlags are the flags of one controller manager. Its client
// is not throttled at the default 20 a second: at storm's sizes it would be
// the bottleneck, and measure itself.
func controllerManagerFlags(s server, spec clusters.Spec, kubeconfig string, p *pki) flags {
	f := electedFlags(s, kubeconfig, p)
	for k, v := range map[string]string{
		"root-ca-file":                     p.kube.file,
		"service-account-private-key-file": p.file("sa.key"),
		"use-service-account-credentials":  "true",
		"cluster-signing-cert-file":        p.kube.file,
		"cluster-signing-key-file":         p.file("ca.key"),
		"service-cluster-ip-range":         serviceRange,
	} {
		f[k] = v
	}
	return f.with(gates(spec.Kubernetes.ControllerManager), spec.Kubernetes.ControllerManager.Flags)
}

// schedulerFlags are the flags of one scheduler.
func schedulerFlags(s server, spec clusters.Spec, kubeconfig string, p *pki) flags {
	return electedFlags(s, kubeconfig, p).with(gates(spec.Kubernetes.Scheduler), spec.Kubernetes.Scheduler.Flags)
}

// electedFlags are those that controller managers and schedulers share.
func electedFlags(s server, kubeconfig string, p *pki) flags {
	return flags{
		"kubeconfig":                kubeconfig,
		"authentication-kubeconfig": kubeconfig,
		"authorization-kubeconfig":  kubeconfig,
		"client-ca-file":            p.kube.file,
		"tls-cert-file":             p.file(string(s.id.Kind) + ".crt"),
		"tls-private-key-file":      p.file(string(s.id.Kind) + ".key"),
		"bind-address":              s.address,
		"secure-port":               strconv.Itoa(s.port),
		"leader-elect":              "true",
		"kube-api-qps":              "1000",
		"kube-api-burst":            "2000",
		"profiling":                 "false",
		"v":                         "1",
	}
}

// gates is the feature-gates flag of a deployment, if any.
func gates(d clusters.Deployment) map[string]string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(d.FeatureGates)) {
		parts = append(parts, fmt.Sprintf("%s=%t", name, d.FeatureGates[name]))
	}
	if len(parts) == 0 {
		return nil
	}
	return map[string]string{"feature-gates": strings.Join(parts, ",")}
}

func urls(members []member, sep string) string {
	var out []string
	for _, m := range members {
		out = append(out, m.clientURL())
	}
	return strings.Join(out, sep)
}
