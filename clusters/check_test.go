package clusters

import (
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/unit"
)

func TestSpecCheckNamesWhatIsWrong(t *testing.T) {
	shards := func(name string, resources ...string) []Shard { return []Shard{{Name: name, Resources: resources}} }
	ms := func(n int) unit.Duration { return unit.Duration(time.Duration(n) * time.Millisecond) }
	none := 0
	for name, c := range map[string]struct {
		change func(*Spec)
		want   string // empty: nothing is wrong
	}{
		"defaults":     {func(*Spec) {}, ""},
		"fast":         {func(s *Spec) { s.Etcd.HeartbeatInterval, s.Etcd.ElectionTimeout = ms(50), ms(500) }, ""},
		"inherits":     {func(s *Spec) { s.Etcd.HeartbeatInterval, s.Etcd.Shards = ms(150), shards("a", "/events") }, ""},
		"no apiserver": {func(s *Spec) { s.Kubernetes.APIServer.Replicas = &none }, "kubernetes.apiserver.replicas: must be at least 1"},
		"skew":         {func(s *Spec) { s.Kubernetes.Scheduler.Version = "1.36" }, `kubernetes.scheduler.version: "1.36" is not a version`},
		"etcd's":       {func(s *Spec) { s.Etcd.Version = "v4" }, `etcd.version: "v4" is not a version`},
		"stacked":      {func(s *Spec) { s.Etcd.Topology, s.Etcd.Members = Stacked, 3 }, "etcd.topology: stacked takes as many members of the shard main as apiservers, and there are 3 and 1: set etcd.members and"},
		"stacked apart": {func(s *Spec) {
			s.Etcd.Shards = shards("a", "/events")
			s.Etcd.Shards[0].Topology, s.Etcd.Shards[0].Members = Stacked, 3
		}, "etcd.shards[0].topology: stacked takes as many members of the shard a as apiservers, and there are 3 and 1: set etcd.shards[0].members and"},
		"main's topology is main's alone": {func(s *Spec) {
			three := 3
			s.Kubernetes.APIServer.Replicas = &three
			s.Etcd.Topology, s.Etcd.Members, s.Etcd.Shards = Stacked, 3, shards("a", "/events")
		}, ""},
		"heartbeat":     {func(s *Spec) { s.Etcd.HeartbeatInterval = ms(300) }, "etcd.heartbeatInterval: the election timeout of 1s is less than 5 heartbeats of 300ms"},
		"of both, once": {func(s *Spec) { s.Etcd.HeartbeatInterval, s.Etcd.Shards = ms(300), shards("a", "/events") }, "etcd.heartbeatInterval: "},
		"no whole ms":   {func(s *Spec) { s.Etcd.ElectionTimeout = unit.Duration(time.Second + time.Microsecond) }, "etcd.electionTimeout: etcd counts heartbeats and elections in whole milliseconds"},
		"shard's own": {func(s *Spec) {
			s.Etcd.Shards = shards("a", "/events")
			s.Etcd.Shards[0].ElectionTimeout = ms(60000)
		}, "etcd.shards[0].electionTimeout: the election timeout of 1m0s is above 50s"},
		"main twice": {func(s *Spec) { s.Etcd.Shards = shards("main", "/events") }, `etcd.shards[0].name: "main" is taken`},
		"all":        {func(s *Spec) { s.Etcd.Shards = shards("all", "/events") }, `etcd.shards[0].name: "all" is taken`},
		"twice":      {func(s *Spec) { s.Etcd.Shards = append(shards("a", "/events"), shards("a", "/pods")...) }, `etcd.shards[1].name: "a" is taken`},
		"path":       {func(s *Spec) { s.Etcd.Shards = shards("../x", "/events") }, `etcd.shards[0].name: "../x" is not a name`},
		"empty":      {func(s *Spec) { s.Etcd.Shards = shards("a") }, "etcd.shards[0].resources: is missing"},
		"no slash":   {func(s *Spec) { s.Etcd.Shards = shards("a", "events") }, `etcd.shards[0].resources[0]: "events" is not a resource`},
		"flag in it": {func(s *Spec) { s.Etcd.Shards = shards("a", "/events#http://x,/pods") }, "is not a resource"},
		"held twice": {func(s *Spec) { s.Etcd.Shards = append(shards("a", "/events"), shards("b", "/events")...) }, "etcd.shards[1].resources[0]: /events is held by the shard a already"},
		"no kind":    {func(s *Spec) { s.Kubernetes.Objects = []Object{{Name: "a", Manifest: manifest("v1", "", "x")}} }, "kubernetes.objects[0].manifest: says no apiVersion or no kind"},
		"no name":    {func(s *Spec) { s.Kubernetes.Objects = []Object{{Name: "a", Manifest: manifest("v1", "ConfigMap", "")}} }, "kubernetes.objects[0].manifest.metadata.name: is missing"},
		"two groups": {func(s *Spec) { s.Kubernetes.Objects = []Object{{Name: "a", Manifest: manifest("a/b/c", "X", "x")}} }, "kubernetes.objects[0].manifest.apiVersion: "},
		"a level": {func(s *Spec) {
			s.Kubernetes.Objects = []Object{{Name: "a", Manifest: manifest("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", "x")}}
		}, "FlowSchema has a place of its own"},
		"same twice": {func(s *Spec) {
			s.Kubernetes.Objects = []Object{{Name: "a", Manifest: manifest("v1", "ConfigMap", "x")}, {Name: "b", Manifest: manifest("v1", "ConfigMap", "x")}}
		}, "kubernetes.objects[1].manifest: ConfigMap x is described by a already"},
		"an object": {func(s *Spec) {
			s.Kubernetes.Objects = []Object{{Name: "a", Manifest: manifest("v1", "ConfigMap", "x")}}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var spec Spec
			c.change(&spec)
			got := spec.Check()
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func manifest(version, kind, name string) map[string]any {
	return map[string]any{"apiVersion": version, "kind": kind, "metadata": map[string]any{"name": name}}
}
