package local

import (
	"fmt"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/network"
)

// useNamespaces decides how members are connected.
func useNamespaces(mode string) (bool, error) {
	if mode == "loopback" {
		return false, nil
	}
	ok, why := network.Probe()
	if !ok && mode == "namespaces" {
		return false, fmt.Errorf("network: namespaces was asked for, but %s: run `storm doctor`", why)
	}
	return ok, nil
}

// Needs is what each capability takes of the machine.
var Needs = map[clusters.Capability][]clusters.Need{
	clusters.CanSignal: nil, clusters.CanRestart: nil, clusters.CanData: nil, clusters.CanGolden: nil,
	clusters.CanEtcd: nil, clusters.CanIssue: nil,
	clusters.CanLink: {clusters.NeedRoot},
}

// Capabilities says what a cluster of that spec can do on this machine; the
// value is why not, empty where it can.
func Capabilities(spec clusters.Spec) map[clusters.Capability]string {
	caps := map[clusters.Capability]string{}
	for capability, needs := range Needs {
		caps[capability] = ""
		if len(needs) == 0 {
			continue
		}
		if spec.Network == "loopback" {
			caps[capability] = "its members share the loopback interface (network: loopback)"
		} else if ok, why := network.Probe(); !ok {
			caps[capability] = "its members cannot be hosts of their own: " + why
		}
	}
	return caps
}

// Check returns what a local cluster could not do of a spec, each "field:
// message" as clusters.Spec.Check has them: what no cluster could do, or else
// what this provider cannot.
func Check(spec clusters.Spec) []string {
	spec = spec.Defaulted()
	if wrong := spec.Check(); len(wrong) > 0 {
		return wrong
	}
	found := spec.NotBuilt()
	bad := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	k := spec.Kubernetes
	if k.Workers > 0 {
		bad("kubernetes.workers: a local cluster has no kubelets: simulate nodes (the load `nodes`), or take the provider kind")
	}
	for _, d := range []struct {
		field string
		clusters.Deployment
	}{{"apiserver", k.APIServer}, {"controllerManager", k.ControllerManager}, {"scheduler", k.Scheduler}} {
		if n := *d.Replicas; n < 0 || n > mostReplicas {
			bad("kubernetes.%s.replicas: %d is more than the %d that have addresses", d.field, n, mostReplicas)
		}
	}
	if n := spec.Members(); n > mostMembers {
		bad("etcd: %d members in all are more than the %d that have addresses", n, mostMembers)
	}
	return found
}
