//go:build cluster

package local

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
)

// TestUnknownAsksTheBinaries: the very binaries say what they do not take, also
// of what their help leaves out.
func TestUnknownAsksTheBinaries(t *testing.T) {
	store, err := components.Open(components.Options{})
	if err != nil {
		t.Fatal(err)
	}
	spec := clusters.Spec{}.Defaulted()
	if _, err := Obtain(t.Context(), store, spec, clusters.Discard); err != nil {
		t.Fatal(err)
	}
	type flags = map[string]string
	for name, c := range map[string]struct {
		change func(*clusters.Spec)
		want   string // the beginning and, after …, the end of the only one; empty: nothing
	}{
		"nothing asked": {func(*clusters.Spec) {}, ""},
		"known": {func(s *clusters.Spec) {
			s.Kubernetes.APIServer.Flags = flags{"goaway-chance": "0.001", "profiling": "-"}
			s.Kubernetes.APIServer.FeatureGates = map[string]bool{"WatchList": false}
			s.Kubernetes.ControllerManager.Flags = flags{"concurrent-deployment-syncs": "20"}
			s.Kubernetes.Scheduler.FeatureGates = map[string]bool{"AllAlpha": false}
			s.Etcd.Flags = flags{"max-txn-ops": "256", "experimental-corrupt-check-time": "1m"}
			s.Etcd.Env = flags{"ETCD_MAX_TXN_OPS": "256", "GOGC": "50"}
		}, ""},
		"general gates are not in the help": {func(s *clusters.Spec) {
			s.Kubernetes.APIServer.FeatureGates = map[string]bool{"ConsistentListFromCache": true}
		}, ""},
		"flag": {func(s *clusters.Spec) {
			s.Kubernetes.APIServer.Flags = flags{"goaway-chanse": "0.001", "event-ttl": "2h"}
		},
			"kubernetes.apiserver.flags.goaway-chanse: kube-apiserver v1.36.…does not know the flag --goaway-chanse: did you mean goaway-chance?"},
		"value": {func(s *clusters.Spec) { s.Kubernetes.APIServer.Flags = flags{"event-ttl": "two hours"} },
			"kubernetes.apiserver.flags.event-ttl: kube-apiserver v1.36.…invalid duration \"two hours\""},
		"gate": {func(s *clusters.Spec) {
			s.Kubernetes.Scheduler.FeatureGates = map[string]bool{"WatchLists": true}
		}, "kubernetes.scheduler.featureGates.WatchLists: kube-scheduler v1.36.…does not know the feature gate WatchLists: did you mean WatchList?"},
		"locked gate": {func(s *clusters.Spec) {
			s.Kubernetes.APIServer.FeatureGates = map[string]bool{"ConsistentListFromCache": false}
		}, "kubernetes.apiserver.featureGates.ConsistentListFromCache: kube-apiserver v1.36.…feature is locked to true"},
		"etcd's flag": {func(s *clusters.Spec) { s.Etcd.Flags = flags{"max-txn-op": "256"} },
			"etcd.flags.max-txn-op: etcd v3.6.…does not know the flag --max-txn-op: did you mean max-txn-ops?"},
		"etcd's gate": {func(s *clusters.Spec) { s.Etcd.Flags = flags{"feature-gates": "Foo=true"} },
			"etcd.flags.feature-gates: etcd v3.6.…unrecognized feature gate: Foo"},
		"etcd's environment": {func(s *clusters.Spec) { s.Etcd.Env = flags{"ETCD_MAX_TXN_OP": "256"} },
			"etcd.env.ETCD_MAX_TXN_OP: etcd v3.6.…does not know the flag --max-txn-op: did you mean ETCD_MAX_TXN_OPS?"},
		"a shard's own": {func(s *clusters.Spec) {
			s.Etcd.Flags = flags{"max-txn-ops": "256"}
			s.Etcd.Shards = []clusters.Shard{{Name: "events", Resources: []string{"/events"}, Flags: flags{"log-lvel": "debug"}}}
		}, "etcd.shards[0].flags.log-lvel: etcd v3.6.…did you mean log-level?"},
		"an empty binDir": {func(s *clusters.Spec) { s.Etcd.BinDir = "testdata" },
			"etcd.binDir: no etcd at …: build it there, or name another binDir"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := clusters.Spec{}
			c.change(&spec)
			found, missing, err := Unknown(t.Context(), store, spec)
			if err != nil || len(missing) > 0 {
				t.Fatalf("missing %q, %v", missing, err)
			}
			begin, end, _ := strings.Cut(c.want, "…")
			if c.want == "" && len(found) > 0 || c.want != "" && (len(found) != 1 || !strings.HasPrefix(found[0], begin) || !strings.Contains(found[0], end)) {
				t.Errorf("got %q, want %q", found, c.want)
			}
		})
	}

	// What is not there cannot be asked, and is named.
	empty, err := components.Open(components.Options{Dir: filepath.Join(t.TempDir(), "cache")})
	if err != nil {
		t.Fatal(err)
	}
	spec = clusters.Spec{}
	spec.Kubernetes.APIServer.Flags = flags{"goaway-chanse": "0.001"}
	found, missing, err := Unknown(t.Context(), empty, spec)
	if err != nil || len(found) > 0 || !slices.Equal(missing, []string{"kube-apiserver v1.36"}) {
		t.Errorf("got %q, missing %q, %v", found, missing, err)
	}
}
