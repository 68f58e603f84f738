package kind

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/network"
	"github.com/storm-harness/storm/internal/docker"
)

// askFor bounds the question whether Docker answers.
const askFor = 10 * time.Second

// Needs is what each capability takes of the machine.
var Needs = map[clusters.Capability][]clusters.Need{
	clusters.CanSignal: {clusters.NeedDocker}, clusters.CanRestart: {clusters.NeedDocker}, clusters.CanData: {clusters.NeedDocker},
	clusters.CanGolden: {clusters.NeedDocker}, clusters.CanEtcd: {clusters.NeedDocker}, clusters.CanIssue: {clusters.NeedDocker},
	clusters.CanLink: {clusters.NeedDocker, clusters.NeedRoot},
}

// Capabilities says what a cluster of that spec can do on this machine; the
// value is why not, empty where it can.
func Capabilities(clusters.Spec) map[clusters.Capability]string {
	ctx, cancel := context.WithTimeout(context.Background(), askFor)
	defer cancel()
	noDocker := ""
	if _, err := docker.Ping(ctx); err != nil {
		noDocker = err.Error()
	}
	caps := map[clusters.Capability]string{}
	for capability, needs := range Needs {
		caps[capability] = noDocker
		if noDocker == "" && slices.Contains(needs, clusters.NeedRoot) {
			caps[capability] = whyNoLinks()
		}
	}
	return caps
}

// whyNoLinks is why the links between containers cannot be changed; empty where
// they can.
func whyNoLinks() string {
	if os.Geteuid() != 0 {
		return "entering the containers' networks takes root"
	}
	if ok, why := network.Probe(); !ok {
		return "the links of containers cannot be changed: " + why
	}
	return ""
}

// Check returns what a kind cluster could not do of a spec, each "field:
// message" as clusters.Spec.Check has them.
func Check(spec clusters.Spec) []string {
	spec = spec.Defaulted()
	if wrong := spec.Check(); len(wrong) > 0 {
		return wrong
	}
	found := spec.NotBuilt()
	bad := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if spec.Network == "loopback" {
		bad("network: loopback is not possible with kind: every node and every etcd member is a container with a network of its own")
	}
	k := spec.Kubernetes
	nodes := *k.APIServer.Replicas
	if nodes > mostNodes {
		bad("kubernetes.apiserver.replicas: %d is more than the %d nodes that have addresses", nodes, mostNodes)
	}
	if k.BinDir != "" {
		bad("kubernetes.binDir: a kind node runs what its image has: build a node image of the directory, and name it with --node-image")
	}
	for _, d := range []struct {
		field string
		clusters.Deployment
	}{{"apiserver", k.APIServer}, {"controllerManager", k.ControllerManager}, {"scheduler", k.Scheduler}} {
		field := "kubernetes." + d.field
		if d.BinDir != "" && d.BinDir != k.BinDir {
			bad("%s.binDir: a kind node runs what its image has: build a node image of the directory, and name it with --node-image", field)
		}
		if d.Version != k.Version {
			bad("%s.version: a kind node runs all its components in one version, %s", field, k.Version)
		}
		if n := *d.Replicas; n > nodes {
			bad("%s.replicas: %d is more than the %d control-plane nodes (kubernetes.apiserver.replicas): each node runs one", field, n, nodes)
		}
		for _, name := range topological {
			if _, given := d.Flags[name]; given {
				bad("%s.flags.%s: kind's nodes give it: it says where things are", field, name)
			}
		}
	}
	for i, sh := range spec.AllShards() {
		if !sh.Stacked() {
			continue
		}
		field := "etcd"
		if i > 0 {
			field = fmt.Sprintf("etcd.shards[%d]", i-1)
		}
		if os.Geteuid() != 0 {
			bad("%s.topology: stacked takes root with kind: the members' data belongs to the nodes' root", field)
		}
		for _, name := range []string{"listen-client-urls", "listen-metrics-urls"} {
			if _, given := sh.Flags[name]; given {
				bad("%s.flags.%s: the nodes of a stacked member give it: its apiserver and its kubelet find it there", field, name)
			}
		}
	}
	if n := spec.Members(); n > mostMembers {
		bad("etcd: %d members in all are more than the %d that have addresses", n, mostMembers)
	}
	return found
}

// topological are the flags that say where a component and its neighbours are:
// changed by a scenario, a node would not find itself.
var topological = []string{
	"advertise-address", "bind-address", "etcd-cafile", "etcd-certfile", "etcd-keyfile", "etcd-servers", "etcd-servers-overrides",
	"kubeconfig", "secure-port",
}
