package local

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/flags"
	"github.com/storm-harness/storm/clusters/network"
	"github.com/storm-harness/storm/clusters/pki"
	"github.com/storm-harness/storm/internal/golden"
	"github.com/storm-harness/storm/internal/unit"
)

func replicas(n int) *int { return &n }

// wide is a spec with several of everything.
func wide() clusters.Spec {
	return clusters.Spec{
		Kubernetes: clusters.Kubernetes{
			APIServer: clusters.Deployment{
				Replicas: replicas(2), FeatureGates: map[string]bool{"WatchList": false, "APIServerTracing": true},
				Flags: map[string]string{"profiling": "true", "goaway-chance": "0.001", "kubelet-preferred-address-types": "-"},
			},
			ControllerManager: clusters.Deployment{Replicas: replicas(2), Flags: map[string]string{"concurrent-deployment-syncs": "20"}},
		},
		Etcd: clusters.Etcd{
			Members: 3, HeartbeatInterval: unit.Duration(50 * time.Millisecond), ElectionTimeout: unit.Duration(500 * time.Millisecond),
			Quota: 64 << 20, SnapshotCount: 5000, Flags: map[string]string{"log-level": "debug"},
			Shards: []clusters.Shard{
				{Name: "events", Resources: []string{"/events"}, Members: 2, Flags: map[string]string{"log-level": "warn", "logger": "-"}},
				{Name: "leases", Resources: []string{"coordination.k8s.io/leases", "/endpoints"}},
			},
		},
	}.Defaulted()
}

// hosts gives every member of a spec an address in the slot, as a network does.
func hosts(spec clusters.Spec, slot network.Slot) map[string]netip.Addr {
	out := map[string]netip.Addr{}
	for i, name := range hostNames(spec) {
		out[name] = slot.HostAddr(i)
	}
	return out
}

func TestFlagsOfEveryComponent(t *testing.T) {
	slot := network.Slot{N: 3}
	p := &pki.PKI{Dir: "/c/pki"}
	for name, spread := range map[string]func(clusters.Spec) layout{
		"namespaces": func(s clusters.Spec) layout { return newLayout(s, slot, hosts(s, slot)) },
		"loopback":   func(s clusters.Spec) layout { return newLayout(s, network.Slot{N: 300, Offset: 20000}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			spec := wide()
			l := spread(spec)
			k := spec.Kubernetes
			var b strings.Builder
			show := func(id clusters.ID, fs flags.Set) { fmt.Fprintf(&b, "%s\n  %s\n", id, strings.Join(fs.Argv(), "\n  ")) }
			for _, s := range l.shards {
				for i, m := range s.members {
					show(m.id, etcdFlags(s, i, p, "/c/data/"+m.id.String(), "run-"+s.Name, "v3.6.16", nil))
				}
			}
			for i, s := range l.apiservers {
				show(s.id, apiServerFlags(l, i, p, k.APIServer, nil))
			}
			for _, s := range l.managers {
				show(s.id, controllerManagerFlags(s, p, "/c/"+s.id.String()+".kubeconfig", k.ControllerManager, nil))
			}
			for _, s := range l.schedulers {
				show(s.id, schedulerFlags(s, p, "/c/"+s.id.String()+".kubeconfig", k.Scheduler, map[string]string{"leader-elect": "false"}))
			}
			golden.Check(t, "flags-"+name, b.String())
		})
	}
}

func TestEveryComponentHasAnAddressOfItsOwn(t *testing.T) {
	spec := wide()
	spec.Kubernetes.APIServer.Replicas = replicas(mostReplicas)
	spec.Kubernetes.ControllerManager.Replicas = replicas(mostReplicas)
	spec.Kubernetes.Scheduler.Replicas = replicas(mostReplicas)
	for len(spec.Etcd.Shards) < 17 {
		spec.Etcd.Shards = append(spec.Etcd.Shards, clusters.Shard{Name: fmt.Sprintf("s%d", len(spec.Etcd.Shards)), Resources: []string{"a/b"}, Members: 9})
	}
	slot := network.Slot{N: 7}
	for name, l := range map[string]layout{"loopback": newLayout(spec, slot, nil), "namespaces": newLayout(spec, slot, hosts(spec, slot))} {
		seen := map[netip.Addr]clusters.ID{}
		for _, s := range l.sites() {
			for _, a := range []netip.Addr{s.addr, s.advertise} {
				if other, ok := seen[a]; ok && a.IsValid() {
					t.Errorf("%s: %s and %s are both at %s", name, other, s.id, a)
				}
				seen[a] = s.id
			}
			if s.id.Kind == clusters.KindAPIServer && s.advertise.IsLoopback() {
				t.Errorf("%s: %s advertises %s", name, s.id, s.advertise)
			}
		}
	}
}

// TestStacked: each apiserver asks the member of its own number, and no other, of each
// shard that is stacked, and of no other shard.
func TestStacked(t *testing.T) {
	spec := clusters.Spec{
		Kubernetes: clusters.Kubernetes{APIServer: clusters.Deployment{Replicas: replicas(3)}},
		Etcd: clusters.Etcd{Members: 3, Topology: clusters.Stacked, Shards: []clusters.Shard{
			{Name: "events", Resources: []string{"/events"}, Members: 3},
			{Name: "state", Resources: []string{"/pods", "coordination.k8s.io/leases"}, Members: 3, Topology: clusters.Stacked},
		}},
	}.Defaulted()
	l := newLayout(spec, network.Slot{N: 3}, nil)
	events, state := l.shards[1], l.shards[2]
	for i := range 3 {
		fs := apiServerFlags(l, i, &pki.PKI{Dir: "/c/pki"}, spec.Kubernetes.APIServer, nil)
		if got, want := fs.Value("etcd-servers"), l.shards[0].members[i].url(); got != want {
			t.Errorf("apiserver %d asks %s, want %s", i, got, want)
		}
		all, own := events.members[0].url()+";"+events.members[1].url()+";"+events.members[2].url(), state.members[i].url()
		want := "/events#" + all + ",/pods#" + own + ",coordination.k8s.io/leases#" + own
		if got := fs.Value("etcd-servers-overrides"); got != want {
			t.Errorf("apiserver %d asks %s, want %s", i, got, want)
		}
	}
}
