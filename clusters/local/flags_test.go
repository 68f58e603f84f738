package local

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/local/network"
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
	p := &pki{dir: "/c/pki"}
	for name, spread := range map[string]func(clusters.Spec) layout{
		"namespaces": func(s clusters.Spec) layout { return newLayout(s, slot, hosts(s, slot)) },
		"loopback":   func(s clusters.Spec) layout { return newLayout(s, network.Slot{N: 300, Offset: 20000}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			spec := wide()
			l := spread(spec)
			k := spec.Kubernetes
			var b strings.Builder
			show := func(id clusters.ID, fs flagSet) { fmt.Fprintf(&b, "%s\n  %s\n", id, strings.Join(fs.argv(), "\n  ")) }
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

func TestFlagsOfAChangeWinOverTheSpecs(t *testing.T) {
	fs := flagSet{{"a", "1"}, {"b", "2"}, {"c", "3"}}
	got := fs.with(map[string]string{"b": "20", "c": "-", "z": "26", "absent": "-"}).with(map[string]string{"z": "27"}).argv()
	if want := []string{"--a=1", "--b=20", "--z=27"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if len(fs) != 3 || fs[1].value != "2" {
		t.Errorf("the flags beneath were changed: %v", fs)
	}
}

func TestEtcdFlagsAreSpelledAsTheVersionTakesThem(t *testing.T) {
	old := flagSet{
		{"name", "m"}, {"experimental-initial-corrupt-check", "true"}, {"experimental-corrupt-check-time", "5m"},
		{"experimental-snapshot-catchup-entries", "1000"}, {"snapshot-count", "7"},
	}
	today := flagSet{
		{"name", "m"}, {"corrupt-check-time", "5m"}, {"snapshot-catchup-entries", "1000"}, {"snapshot-count", "7"},
		{"feature-gates", "InitialCorruptCheck=true"},
	}
	for _, c := range []struct {
		name, version string
		in, want      []string
	}{
		{"old names for 3.5", "v3.5.35", old.argv(), old.argv()},
		{"old names for 3.6", "v3.6.16", old.argv(), today.argv()},
		{"old names for 3.7", "v3.7.3", old.argv(), today.argv()},
		{"new names for 3.7", "v3.7.0-rc.1", today.argv(), today.argv()},
		{"new names for 3.5", "v3.5.0", today.argv(), []string{
			"--name=m", "--experimental-corrupt-check-time=5m", "--experimental-snapshot-catchup-entries=1000", "--snapshot-count=7",
			"--experimental-initial-corrupt-check=true",
		}},
		{"gates meet", "v3.6.0", []string{"--feature-gates=CompactHashCheck=true,InitialCorruptCheck=false", "--experimental-initial-corrupt-check=true"},
			[]string{"--feature-gates=CompactHashCheck=true,InitialCorruptCheck=false"}},
		{"a gate that was no flag", "v3.5.35", []string{"--feature-gates=SetMemberLocalAddr=true,CompactHashCheck=true"},
			[]string{"--experimental-compact-hash-check-enabled=true", "--feature-gates=SetMemberLocalAddr=true"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, parsed(c.in).spelledFor(c.version).argv()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func parsed(argv []string) flagSet {
	var out flagSet
	for _, a := range argv {
		name, value, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		out = append(out, flag{name, value})
	}
	return out
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

func TestEnvironment(t *testing.T) {
	if got, want := environ(map[string]string{"B": "2", "A": "1", "C": "-"}), []string{"A=1", "B=2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
