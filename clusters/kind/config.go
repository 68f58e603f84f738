package kind

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/semver"
	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	"sigs.k8s.io/yaml"

	"github.com/storm-harness/storm/clusters/flags"
)

// clientQPS is what controller managers and schedulers may ask of the
// apiserver. Their own defaults of 20 and 50 a second would be the slowest
// part of every run, and hide what the control plane can do.
const clientQPS = 1000

// Where things are in a node.
const (
	nodePKI       = "/etc/kubernetes/pki"
	nodeEtcdTrust = nodePKI + "/etcd/trust.crt"
	nodeServing   = nodePKI + "/serving" // of controller managers and schedulers
	nodeLogs      = "/storm/logs"        // the cluster's folder of logs
	manifestsDir  = "/etc/kubernetes/manifests"
)

// design is what a cluster's configuration is made of.
type design struct {
	name      string
	image     string
	version   string // of Kubernetes, as far as it is known: v1.36.3, or v1.36
	nodes     int
	workers   int
	shards    []shardPlaces
	dir       string // the cluster's own, on this machine
	logs      string
	oldCgroup bool // this machine has cgroups v1
}

// config is what kind is asked for. It has the topology alone: flags, gates and
// environment of a spec are laid over the components' manifests afterwards, as
// every later change is.
//
// The authorities, and what opens etcd, are there before kubeadm looks, which
// then keeps them: storm issues certificates of the same authority. What runs on
// the nodes besides the control plane (kube-proxy, CoreDNS, and a CNI unless workers
// need it) is left out: storm's nodes are simulated, and these would be a load of
// their own.
func (d design) config() (*v1alpha4.Cluster, error) {
	c := &v1alpha4.Cluster{
		TypeMeta: v1alpha4.TypeMeta{Kind: "Cluster", APIVersion: "kind.x-k8s.io/v1alpha4"}, Name: d.name,
		Networking: v1alpha4.Networking{IPFamily: v1alpha4.IPv4Family, DisableDefaultCNI: !d.needsCNI(), KubeProxyMode: "none"},
	}
	for i := range d.nodes {
		mounts := []v1alpha4.Mount{
			{HostPath: filepath.Join(d.dir, "nodes", strconv.Itoa(i), "pki"), ContainerPath: nodePKI},
			{HostPath: d.logs, ContainerPath: nodeLogs},
		}
		mounts = append(mounts, d.memberMounts(i)...)
		c.Nodes = append(c.Nodes, v1alpha4.Node{Role: v1alpha4.ControlPlaneRole, Image: d.image, ExtraMounts: mounts})
	}
	for range d.workers {
		c.Nodes = append(c.Nodes, v1alpha4.Node{Role: v1alpha4.WorkerRole, Image: d.image, ExtraMounts: []v1alpha4.Mount{{HostPath: d.logs, ContainerPath: nodeLogs}}})
	}
	patch := func(doc map[string]any) error {
		text, err := yaml.Marshal(doc)
		c.KubeadmConfigPatches = append(c.KubeadmConfigPatches, string(text))
		return err
	}
	etcd := map[string]any{"external": map[string]any{
		"endpoints": clientURLs(d.shards[0]), "caFile": nodeEtcdTrust,
		"certFile": nodePKI + "/apiserver-etcd-client.crt", "keyFile": nodePKI + "/apiserver-etcd-client.key",
	}}
	if d.shards[0].Stacked() {
		etcd = map[string]any{"local": map[string]any{"dataDir": kubeadmData}}
	}
	serving := []any{map[string]any{"name": "storm", "hostPath": nodeServing, "mountPath": nodeServing, "readOnly": true, "pathType": "Directory"}}
	if err := patch(map[string]any{"kind": "ClusterConfiguration", "etcd": etcd, "scheduler": map[string]any{"extraVolumes": serving}}); err != nil {
		return nil, err
	}
	for _, p := range d.extraFlags() {
		if err := d.extraArgs(c, p.part, p.flags); err != nil {
			return nil, err
		}
	}
	if err := patch(map[string]any{"kind": "InitConfiguration", "skipPhases": []string{"preflight", "addon/kube-proxy", "addon/coredns"}}); err != nil {
		return nil, err
	}
	// What Kubernetes no longer does by itself there; older kubelets do not know the word.
	if d.oldCgroup && semver.Compare(semver.MajorMinor(d.version), "v1.31") >= 0 {
		if err := patch(map[string]any{"kind": "KubeletConfiguration", "failCgroupV1": false}); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// needsCNI says whether kind is to install its own network: workers run pods, and
// no image but storm's has a configuration for their addresses.
func (d design) needsCNI() bool { return d.workers > 0 && !strings.HasPrefix(d.image, ownNodes+":") }

// extraFlags are those that a topology comes to, by the part of a kubeadm
// configuration that takes them.
func (d design) extraFlags() []partFlags {
	served := func(name string) flags.Set {
		return flags.Of(
			"bind-address", "0.0.0.0", // storm asks for metrics and health from outside
			"tls-cert-file", nodeServing+"/"+name+".crt",
			"tls-private-key-file", nodeServing+"/"+name+".key",
			"kube-api-qps", strconv.Itoa(clientQPS),
			"kube-api-burst", strconv.Itoa(2*clientQPS),
			"profiling", "false",
		)
	}
	api := flags.Of("profiling", "false")
	if o := overrides(d.shards); o != "" {
		api = append(api, flags.Of("etcd-servers-overrides", o)...)
		if d.shards[0].Stacked() { // kubeadm has the main shard's authority alone
			api = append(api, flags.Of("etcd-cafile", nodeEtcdTrust)...)
		}
	}
	return []partFlags{{"apiServer", api}, {"controllerManager", served("kube-controller-manager")}, {"scheduler", served("kube-scheduler")}}
}

// partFlags are flags for a part of a kubeadm configuration.
type partFlags struct {
	part  string
	flags flags.Set
}

// extraArgs has kind give a part further flags beside its own. Up to Kubernetes
// 1.35 kind writes kubeadm's v1beta3, where they are a map, which a patch adds to;
// later v1beta4, where they are a list, which a patch would replace.
func (d design) extraArgs(c *v1alpha4.Cluster, part string, fs flags.Set) error {
	args := map[string]any{}
	var list []any
	for _, f := range fs {
		args[f.Name] = f.Value
		list = append(list, map[string]any{"name": f.Name, "value": f.Value})
	}
	old, err := yaml.Marshal(map[string]any{
		"apiVersion": "kubeadm.k8s.io/v1beta3", "kind": "ClusterConfiguration", part: map[string]any{"extraArgs": args},
	})
	if err != nil {
		return err
	}
	c.KubeadmConfigPatches = append(c.KubeadmConfigPatches, string(old))
	ops := []any{map[string]any{"op": "add", "path": "/" + part + "/extraArgs", "value": list}}
	if part != "scheduler" { // which has none of kind's
		ops = nil
		for _, arg := range list {
			ops = append(ops, map[string]any{"op": "add", "path": "/" + part + "/extraArgs/-", "value": arg})
		}
	}
	text, err := json.MarshalIndent(ops, "", " ")
	if err != nil {
		return err
	}
	c.KubeadmConfigPatchesJSON6902 = append(c.KubeadmConfigPatchesJSON6902, v1alpha4.PatchJSON6902{
		Group: "kubeadm.k8s.io", Version: "v1beta4", Kind: "ClusterConfiguration", Patch: string(text),
	})
	return nil
}

// text is a configuration as kind reads it from a file.
func text(c *v1alpha4.Cluster) (string, error) {
	b, err := yaml.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("kind's configuration: %w", err)
	}
	return strings.TrimSpace(string(b)) + "\n", nil
}
