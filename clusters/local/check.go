package local

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/local/network"
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

// Capabilities says what a cluster of that spec can do on this machine; the
// value is why not, empty where it can.
func Capabilities(spec clusters.Spec) map[clusters.Capability]string {
	caps := map[clusters.Capability]string{
		clusters.CanSignal: "", clusters.CanRestart: "", clusters.CanData: "", clusters.CanGolden: "", clusters.CanLink: "",
	}
	if spec.Network == "loopback" {
		caps[clusters.CanLink] = "its members share the loopback interface (network: loopback)"
	} else if ok, why := network.Probe(); !ok {
		caps[clusters.CanLink] = "its members cannot be hosts of their own: " + why
	}
	return caps
}

// A shard's name becomes part of file names, host names and flags; a resource
// is what --etcd-servers-overrides takes, with an empty group for the core's.
var (
	shardName    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)
	shardContent = regexp.MustCompile(`^[a-z0-9.-]*/[a-z0-9]+$`)
)

// What etcd takes for granted where nothing is set.
const (
	usualHeartbeat = 100 * time.Millisecond
	usualElection  = time.Second
	// mostElection is etcd's own limit.
	mostElection = 50 * time.Second
)

// Check returns what a local cluster cannot do of a spec, a problem an entry.
func Check(spec clusters.Spec) []string {
	spec = spec.Defaulted()
	var problems []string
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if spec.Provider != "local" {
		bad("provider: %s is not built yet", spec.Provider)
	}
	if spec.From != "" {
		bad("from: starting from a snapshot is not built yet")
	}
	k := spec.Kubernetes
	if *k.APIServer.Replicas == 0 {
		bad("kubernetes.apiserver.replicas: a cluster needs at least one")
	}
	for name, d := range map[string]clusters.Deployment{"apiserver": k.APIServer, "controllerManager": k.ControllerManager, "scheduler": k.Scheduler} {
		if n := *d.Replicas; n < 0 || n > mostReplicas {
			bad("kubernetes.%s.replicas: %d is more than the %d that have addresses", name, n, mostReplicas)
		}
	}
	members := 0
	names, holders := map[string]bool{}, map[string]string{}
	for i, sh := range spec.AllShards() {
		field := "etcd"
		if i > 0 {
			field = "etcd.shards." + sh.Name
		}
		members += max(0, sh.Members)
		if !shardName.MatchString(sh.Name) || names[sh.Name] {
			bad("%s: the name must be unique, of lower case letters, digits and '-', at most 32", field)
		}
		names[sh.Name] = true
		problems = append(problems, checkShard(field, sh)...)
		if i > 0 && len(sh.Resources) == 0 {
			bad("%s.resources: a shard that holds nothing", field)
		}
		for _, r := range sh.Resources {
			if !shardContent.MatchString(r) {
				bad("%s.resources: %q: write group/resource, such as /events or coordination.k8s.io/leases", field, r)
			}
			if other := holders[r]; other != "" {
				bad("%s.resources: %s is held by %s already", field, r, other)
			}
			holders[r] = sh.Name
		}
	}
	if members > mostMembers {
		bad("etcd: %d members in all are more than the %d that have addresses", members, mostMembers)
	}
	slices.Sort(problems)
	return problems
}

func checkShard(field string, sh clusters.Shard) []string {
	var problems []string
	bad := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if sh.Members < 1 {
		bad("%s.members: %d is too few", field, sh.Members)
	}
	if sh.Proxy != "" && sh.Proxy != "none" {
		bad("%s.proxy: %s is not built yet", field, sh.Proxy)
	}
	heartbeat, election := sh.HeartbeatInterval.D(), sh.ElectionTimeout.D()
	if heartbeat == 0 {
		heartbeat = usualHeartbeat
	}
	if election == 0 {
		election = usualElection
	}
	if heartbeat < time.Millisecond || election < 5*heartbeat || election > mostElection {
		bad("%s.electionTimeout: etcd wants at least five heartbeats and at most %s, is %s with a heartbeat of %s", field, mostElection, election, heartbeat)
	}
	return problems
}
