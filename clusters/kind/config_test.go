package kind

import (
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/network"
	"github.com/storm-harness/storm/internal/golden"
	"github.com/storm-harness/storm/internal/unit"
)

func replicas(n int) *int { return &n }

// designOf is a spec's, as Up makes it.
func designOf(spec clusters.Spec, image, version string, oldCgroup bool) design {
	spec = spec.Defaulted()
	return design{
		name: NameOf("20261122t100000-abc123"), image: image, version: version, nodes: *spec.Kubernetes.APIServer.Replicas,
		workers: spec.Kubernetes.Workers, shards: places(spec, network.Slot{N: 3}, nil), dir: "/state/run", logs: "/runs/x/logs", oldCgroup: oldCgroup,
	}
}

func TestConfiguration(t *testing.T) {
	wide := clusters.Spec{
		Kubernetes: clusters.Kubernetes{APIServer: clusters.Deployment{Replicas: replicas(3)}},
		Etcd: clusters.Etcd{Members: 3, Shards: []clusters.Shard{
			{Name: "events", Resources: []string{"/events"}, Members: 3},
			{Name: "leases", Resources: []string{"coordination.k8s.io/leases", "/endpoints"}},
		}},
	}
	stacked := wide
	stacked.Kubernetes.Workers = 2
	stacked.Etcd.Topology = clusters.Stacked
	apart := wide // the main shard, and one beside what the nodes have of two others
	apart.Etcd.Shards = []clusters.Shard{
		{Name: "events", Resources: []string{"/events"}, Members: 3, Topology: clusters.Stacked},
		{Name: "leases", Resources: []string{"coordination.k8s.io/leases"}},
		{Name: "pods", Resources: []string{"/pods"}, Members: 3, Topology: clusters.Stacked},
	}
	all := apart
	all.Etcd.Topology = clusters.Stacked
	for name, d := range map[string]design{
		"one":            designOf(clusters.Spec{}, "storm/node:v1.36.3", "v1.36.3", true),
		"wide":           designOf(wide, "kindest/node:v1.35.4", "v1.35.4", false),
		"old":            designOf(clusters.Spec{}, "kindest/node:v1.30.0", "v1.30.0", true),
		"workers":        designOf(clusters.Spec{Kubernetes: clusters.Kubernetes{Workers: 1}}, "kindest/node:v1.36.3", "v1.36.3", false),
		"unnamed":        designOf(clusters.Spec{}, "localhost:5000/mine", "v1.36", true),
		"stacked":        designOf(stacked, "storm/node:v1.36.3", "v1.36.3", false),
		"shards stacked": designOf(apart, "storm/node:v1.36.3", "v1.36.3", false),
		"all stacked":    designOf(all, "storm/node:v1.36.3", "v1.36.3", false),
		"no shards":      designOf(clusters.Spec{Etcd: clusters.Etcd{Members: 5}}, "storm/node:v1.36.3", "v1.36.3", false),
	} {
		t.Run(name, func(t *testing.T) {
			c, err := d.config()
			if err != nil {
				t.Fatal(err)
			}
			got, err := text(c)
			if err != nil {
				t.Fatal(err)
			}
			golden.Check(t, "config-"+strings.ReplaceAll(name, " ", "-"), got)
		})
	}
}

func TestNamesFitHostNames(t *testing.T) {
	seen := map[string]string{}
	for _, run := range []string{
		"20261122t100000-abc123", "hand-" + strings.Repeat("x", 32) + "-abcdefgh", "hand-" + strings.Repeat("x", 32) + "-abcdefgi",
		"Test_1", "test-1", strings.Repeat("y", 64),
	} {
		name := NameOf(run)
		if other, taken := seen[name]; taken {
			t.Errorf("%s and %s are both called %s", other, run, name)
		}
		seen[name] = run
		if balancer := name + "-external-load-balancer"; len(balancer) > 63 {
			t.Errorf("run %s has a %s", run, balancer)
		}
		if node := nodeName(name, "control-plane", mostNodes-1); len(node) > 63 || notInNames.MatchString(node) {
			t.Errorf("run %s has a node %s", run, node)
		}
	}
}

func TestAddressesAreApart(t *testing.T) {
	slot := network.Slot{N: 300}
	spec := clusters.Spec{Etcd: clusters.Etcd{Members: 9}}
	for i := range 19 {
		spec.Etcd.Shards = append(spec.Etcd.Shards, clusters.Shard{Name: string(rune('a' + i)), Members: 9})
	}
	for _, s := range places(spec.Defaulted(), slot, nil) {
		for _, m := range s.members {
			if nodesRange(slot).Contains(m.addr) || !slot.Subnet().Contains(m.addr) || m.addr == slot.MachineAddr() {
				t.Errorf("%s is at %s", m.id, m.addr)
			}
		}
	}
	for _, a := range nodeAddrs(slot) {
		if !nodesRange(slot).Contains(a) {
			t.Errorf("a node's certificate has %s, which no node has", a)
		}
	}
}

// TestMembersOnANodeAreApart: each has ports of its own beside every other stacked
// member, and the names by which its node tells it from them.
func TestMembersOnANodeAreApart(t *testing.T) {
	spec := clusters.Spec{
		Kubernetes: clusters.Kubernetes{APIServer: clusters.Deployment{Replicas: replicas(2)}},
		Etcd: clusters.Etcd{Members: 2, Topology: clusters.Stacked, Shards: []clusters.Shard{
			{Name: "events", Members: 2, Topology: clusters.Stacked}, {Name: "apart", Members: 2}, {Name: "pods", Members: 2, Topology: clusters.Stacked},
		}},
	}.Defaulted()
	nodes := nodeAddrs(network.Slot{N: 3})[:2]
	seen, names := map[string]clusters.ID{}, map[string]bool{}
	for _, s := range places(spec, network.Slot{N: 3}, nodes) {
		for i, m := range s.members {
			if got := m.addr == nodes[i]; got != s.Stacked() {
				t.Errorf("%s is at %s", m.id, m.addr)
			}
			for _, url := range []string{m.clientURL(), m.peerURL()} {
				if other, taken := seen[url]; taken {
					t.Errorf("%s and %s are both at %s", other, m.id, url)
				}
				seen[url] = m.id
			}
			if i > 0 || !s.Stacked() {
				continue // on another node, or none
			}
			for _, name := range []string{nameIn(m.id), m.ownURL(), m.metricsURL()} {
				if names[name] {
					t.Errorf("on its node %s is %s as another is", m.id, name)
				}
				names[name] = true
			}
		}
	}
	if len(seen) != 16 || !names["etcd"] || !names["https://127.0.0.1:2379"] {
		t.Errorf("kubeadm's are not the main shard's: %v, %v", seen, names)
	}
}

// TestAShardsPodIsOneThatCanBeTold: its container has the component's name, by which a
// node tells which shard's a process is, and its pod the start's.
func TestAShardsPodIsOneThatCanBeTold(t *testing.T) {
	server, err := readManifest(kubeadms)
	if err != nil {
		t.Fatal(err)
	}
	at := place{id: clusters.ID{Kind: clusters.KindEtcd, Shard: "events", Index: 1}, above: shardPorts}
	text, err := shardPod(at, server).text()
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "shardpod", text)
}

// TestWhatWritesAtTheStartIsInTheKey: a cluster without controllers has other data than
// one with them, and how many there are changes nothing.
func TestWhatWritesAtTheStartIsInTheKey(t *testing.T) {
	key := func(change func(*clusters.Spec)) string {
		spec := clusters.Spec{Kubernetes: clusters.Kubernetes{APIServer: clusters.Deployment{Replicas: replicas(2)}}, Etcd: clusters.Etcd{Shards: []clusters.Shard{{Name: "events", Resources: []string{"/events"}, Members: 2}}}}
		change(&spec)
		spec = spec.Defaulted()
		bare, _ := (&Cluster{spec: spec, shards: places(spec, network.Slot{N: 3}, nil)}).keys()
		return bare
	}
	same := key(func(*clusters.Spec) {})
	for name, c := range map[string]struct {
		change func(*clusters.Spec)
		other  bool
	}{
		"two controller managers": {func(s *clusters.Spec) { s.Kubernetes.ControllerManager.Replicas = replicas(2) }, false},
		"no controller manager":   {func(s *clusters.Spec) { s.Kubernetes.ControllerManager.Replicas = replicas(0) }, true},
		"two schedulers":          {func(s *clusters.Spec) { s.Kubernetes.Scheduler.Replicas = replicas(2) }, false},
		"no scheduler":            {func(s *clusters.Spec) { s.Kubernetes.Scheduler.Replicas = replicas(0) }, true},
		"a stacked shard":         {func(s *clusters.Spec) { s.Etcd.Shards[0].Topology = clusters.Stacked }, true},
		"flags":                   {func(s *clusters.Spec) { s.Etcd.Flags = map[string]string{"snapshot-count": "9"} }, false},
	} {
		if got := key(c.change); (got != same) != c.other {
			t.Errorf("with %s the key is %s, and without %s", name, got, same)
		}
	}
	if a, b := key(func(s *clusters.Spec) { s.Kubernetes.Scheduler.Replicas = replicas(0) }), key(func(s *clusters.Spec) { s.Kubernetes.ControllerManager.Replicas = replicas(0) }); a == b {
		t.Error("without a scheduler and without a controller manager it is the same")
	}
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*clusters.Spec)
		want   string // empty: nothing is wrong
	}{
		"defaults": {func(*clusters.Spec) {}, ""},
		"none":     {func(s *clusters.Spec) { s.Kubernetes.ControllerManager.Replicas = replicas(0) }, ""},
		"etcd's":   {func(s *clusters.Spec) { s.Etcd.BinDir, s.Etcd.ElectionTimeout = "/x", unit.Duration(2*time.Second) }, ""},
		"no spec":  {func(s *clusters.Spec) { s.Kubernetes.APIServer.Replicas = replicas(0) }, "kubernetes.apiserver.replicas: must be at least 1"},
		"from":     {func(s *clusters.Spec) { s.From = "x.db" }, "from: starting from a snapshot is not built yet"},
		"loopback": {func(s *clusters.Spec) { s.Network = "loopback" }, "network: loopback is not possible with kind"},
		"proxy":    {func(s *clusters.Spec) { s.Etcd.Proxy = "gateway" }, "etcd.proxy: gateway is not built yet"},
		"binDir":   {func(s *clusters.Spec) { s.Kubernetes.BinDir = "/x" }, "kubernetes.binDir: a kind node runs what its image has"},
		"own":      {func(s *clusters.Spec) { s.Kubernetes.Scheduler.BinDir = "/x" }, "kubernetes.scheduler.binDir: a kind node runs what its image has"},
		"skew":     {func(s *clusters.Spec) { s.Kubernetes.Scheduler.Version = "v1.35" }, "kubernetes.scheduler.version: a kind node runs all its components in one version, v1.36"},
		"more":     {func(s *clusters.Spec) { s.Kubernetes.Scheduler.Replicas = replicas(2) }, "kubernetes.scheduler.replicas: 2 is more than the 1 control-plane nodes"},
		"topology": {func(s *clusters.Spec) { s.Kubernetes.APIServer.Flags = map[string]string{"etcd-servers": "x"} }, "kubernetes.apiserver.flags.etcd-servers: kind's nodes give it"},
		"where":    {func(s *clusters.Spec) { s.Etcd.Flags = map[string]string{"listen-metrics-urls": "x"} }, ""},
		"where stacked": {func(s *clusters.Spec) {
			s.Etcd.Shards = []clusters.Shard{{Name: "a", Resources: []string{"/events"}, Topology: clusters.Stacked, Flags: map[string]string{"listen-metrics-urls": "x"}}}
		}, "etcd.shards[0].flags.listen-metrics-urls: the nodes of a stacked member give it"},
		"own proxy": {func(s *clusters.Spec) {
			s.Etcd.Shards = []clusters.Shard{{Name: "a", Resources: []string{"/events"}, Proxy: "gateway"}}
		}, "etcd.shards[0].proxy: gateway is not built yet"},
	} {
		t.Run(name, func(t *testing.T) {
			var spec clusters.Spec
			c.change(&spec)
			got := Check(spec)
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
