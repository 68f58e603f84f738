//go:build cluster

package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/local"
	"github.com/storm-harness/storm/clusters/local/localtest"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/operations"
	"github.com/storm-harness/storm/workloads"
	"github.com/storm-harness/storm/workloads/fleet"
)

// The fleets of the test: one on shared connections, one whose kubelets have
// connections and certificates of their own.
const (
	sharedNodes = 40
	ownNodes    = 10
)

// stage is a real control plane with two fleets on it, and the server's own
// account of who asked it for what.
type stage struct {
	*local.Cluster
	kube  kubernetes.Interface
	env   *acts.Env
	audit string

	mu       sync.Mutex
	failures map[string]uint64 // of the fleets' requests, by what they were
}

// TestNodesOnCue takes the acts on nodes through the wrapper, as a trial does.
func TestNodesOnCue(t *testing.T) {
	s := set(t)
	t.Run("kubeletRestart", s.testRestart)
	t.Run("connections of their own", s.testRestartOfConnections)
	t.Run("within a window", s.testRestartWithin)
	t.Run("rackSilence", s.testSilence)
	t.Run("drain", s.testDrain)
}

func set(t *testing.T) *stage {
	dir := t.TempDir()
	s := &stage{audit: filepath.Join(dir, "audit.log"), failures: map[string]uint64{}}
	policy := filepath.Join(dir, "policy.json")
	const everything = `{"apiVersion":"audit.k8s.io/v1","kind":"Policy","omitStages":["RequestReceived"],"rules":[{"level":"Metadata"}]}`
	if err := os.WriteFile(policy, []byte(everything), 0o600); err != nil {
		t.Fatal(err)
	}
	var spec clusters.Spec
	spec.Kubernetes.APIServer.Flags = map[string]string{"audit-policy-file": policy, "audit-log-path": s.audit, "audit-log-mode": "blocking"}
	// So that a silent node is found to be away within the test's patience.
	spec.Kubernetes.ControllerManager.Flags = map[string]string{"node-monitor-grace-period": "10s", "node-monitor-period": "1s"}
	s.Cluster = localtest.Up(t, spec)
	var err error
	if s.kube, err = acts.Kube(s.Cluster); err != nil {
		t.Fatal(err)
	}
	clock := measure.NewClock()
	s.env = &acts.Env{Cluster: s.Cluster, Clock: clock, Dir: t.TempDir(), RunID: "test", Backups: map[string]acts.Backup{}, Fleets: map[string]acts.Fleet{}}
	rec := measure.NewRecorder(clock, func(w rundir.Window) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for code, n := range w.Errors {
			s.failures[w.Workload+": "+w.Verb+" "+w.Resource+": "+code] += n
		}
	})
	t.Cleanup(rec.Close)
	for name, change := range map[string]func(*workloads.Nodes){
		"fleet": func(n *workloads.Nodes) { n.Count = sharedNodes },
		"edge":  func(n *workloads.Nodes) { n.Count, n.Connections = ownNodes, "perProcess" },
	} {
		n := workloads.Kinds["nodes"]().(*workloads.Nodes)
		n.Heartbeat = unit.Duration(2 * time.Second)
		n.Pods.Start, n.Pods.Stop = unit.OneDuration(100*time.Millisecond), unit.OneDuration(100*time.Millisecond)
		change(n)
		env := &workloads.Env{
			Name: name, Access: s.Access(), Admin: s.Access().REST, Recorder: rec, Clock: clock, Seed: 1, RunID: "test", Log: slog.New(slog.DiscardHandler),
		}
		if err := n.Prepare(t.Context(), env); err != nil {
			t.Fatal(err)
		}
		ctx, end := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() {
			if err := n.Run(ctx, env); err != nil {
				t.Error(err)
			}
		})
		t.Cleanup(func() { end(); running.Wait() })
		s.env.Fleets[name] = n
	}
	return s
}

// run takes an act through the wrapper; it must be proven and healed.
func (s *stage) run(ctx context.Context, t *testing.T, kind, sort string, act acts.Act, hold time.Duration) *rundir.Act {
	t.Helper()
	if problems := act.Check(); len(problems) > 0 {
		t.Fatal(problems)
	}
	env := *s.env
	got, _ := acts.Run(ctx, &env, acts.Step{Name: t.Name(), Kind: kind, Sort: sort, Act: act, For: hold, Heal: acts.HealAuto}, acts.DefaultBounds())
	t.Logf("%s | %s | %s | %v", got.Proof, got.HealedBy, got.Error, got.Facts)
	if got.Error != "" || got.Proof == "" || got.HealedBy == "" || got.Healed < got.Healing || got.Proven < got.Injected {
		t.Fatalf("%+v", got)
	}
	return got
}

// asked is a line of the audit log.
type asked struct {
	Stage string    `json:"stage"`
	Verb  string    `json:"verb"`
	At    time.Time `json:"requestReceivedTimestamp"`
	User  struct {
		Username string `json:"username"`
	} `json:"user"`
	Impersonated struct {
		Username string `json:"username"`
	} `json:"impersonatedUser"`
	Object struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Name        string `json:"name"`
	} `json:"objectRef"`
	Response struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// node is the node that asked, if it was one.
func (a asked) node() string {
	for _, user := range []string{a.Impersonated.Username, a.User.Username} {
		if name, ok := strings.CutPrefix(user, "system:node:"); ok {
			return name
		}
	}
	return ""
}

// count counts what the API server was asked, by node.
func (s *stage) count(t *testing.T, match func(asked) bool) map[string]int {
	t.Helper()
	f, err := os.Open(s.audit)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	out := map[string]int{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var a asked
		if json.Unmarshal(lines.Bytes(), &a) == nil && match(a) {
			out[a.node()]++
		}
	}
	return out
}

// watchesBegun counts the watches that nodes began in a time, on their own
// identity: the kubelets' five.
func (s *stage) watchesBegun(t *testing.T, from, to int64) map[string]int {
	began, ended := s.env.Clock.At(from), s.env.Clock.At(to)
	return s.count(t, func(a asked) bool {
		return a.Verb == "watch" && a.Stage == "ResponseStarted" && a.node() != "" && !a.At.Before(began) && !a.At.After(ended)
	})
}

func (s *stage) testRestart(t *testing.T) {
	got := s.run(t.Context(), t, "kubeletRestart", acts.SortFault, &KubeletRestart{Fleet: "fleet", Share: 1, Proxies: true}, 0)
	if got.Facts["nodes"] != sharedNodes || got.Facts["watches"] != float64(sharedNodes*len(fleet.Watches())) || got.Facts["seconds.resync"] <= 0 {
		t.Errorf("facts: %v", got.Facts)
	}
	begun := s.watchesBegun(t, got.Intended, got.Healed)
	if len(begun) != sharedNodes {
		t.Errorf("%d nodes began watches, want %d", len(begun), sharedNodes)
	}
	for node, n := range begun {
		if n != 5 || !strings.Contains(node, "fleet") {
			t.Errorf("%s began %d watches", node, n)
		}
	}
	offered := s.count(t, func(a asked) bool {
		return a.Verb == "create" && a.Object.Resource == "nodes" && a.Response.Code == 409 && !a.At.Before(s.env.Clock.At(got.Intended))
	})
	if len(offered) != sharedNodes {
		t.Errorf("%d nodes offered their Nodes again, want %d", len(offered), sharedNodes)
	}
	s.noFailures(t)
}

func (s *stage) testRestartOfConnections(t *testing.T) {
	got := s.run(t.Context(), t, "kubeletRestart", acts.SortFault, &KubeletRestart{Fleet: "edge", Share: 1, Proxies: true}, 0)
	if got.Facts["watches"] != float64(ownNodes*len(fleet.Watches())) {
		t.Errorf("facts: %v", got.Facts)
	}
	if begun := s.watchesBegun(t, got.Intended, got.Healed); len(begun) != ownNodes {
		t.Errorf("%d nodes began watches, want %d", len(begun), ownNodes)
	}
	s.noFailures(t)
}

func (s *stage) testRestartWithin(t *testing.T) {
	const half = sharedNodes / 2
	got := s.run(t.Context(), t, "kubeletRestart", acts.SortFault, &KubeletRestart{Fleet: "fleet", Share: .5, Within: unit.Duration(2 * time.Second)}, 0)
	if got.Facts["nodes"] != half || got.Facts["watches"] != half*5 {
		t.Errorf("facts without the proxies: %v", got.Facts)
	}
	if begun := s.watchesBegun(t, got.Intended, got.Healed); len(begun) != half {
		t.Errorf("%d nodes began watches, want %d", len(begun), half)
	}
	s.noFailures(t)
}

// noFailures holds that nothing that the nodes did on cue counts against the
// server.
func (s *stage) noFailures(t *testing.T) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.failures) > 0 {
		t.Errorf("failures: %v", s.failures)
	}
}

// ready returns the names of the nodes whose condition Ready is as given.
func (s *stage) ready(t *testing.T, status corev1.ConditionStatus) []string {
	t.Helper()
	nodes, err := s.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, n := range nodes.Items {
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == status {
				names = append(names, n.Name)
			}
		}
	}
	return names
}

// testSilence holds the silence until the controllers have found all of the
// rack to be away, and ends it then.
func (s *stage) testSilence(t *testing.T) {
	const rack = 10
	ctx, enough := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	var away []string
	watching.Go(func() {
		defer enough()
		eventually(t, "the rack found to be away", func() bool {
			away = s.ready(t, corev1.ConditionUnknown)
			return len(away) >= rack
		})
	})
	got := s.run(ctx, t, "rackSilence", acts.SortFault, &RackSilence{Fleet: "fleet", Rack: rack}, 5*time.Minute)
	watching.Wait()
	if len(away) != rack || got.Facts["nodes.unknown"] != rack {
		t.Errorf("away: %v, facts: %v", away, got.Facts)
	}
	from, to := s.env.Clock.At(got.Proven), s.env.Clock.At(got.Healing)
	silent := s.count(t, func(a asked) bool { return slices.Contains(away, a.node()) && a.At.After(from) && a.At.Before(to) })
	others := s.count(t, func(a asked) bool { return a.node() != "" && a.At.After(from) && a.At.Before(to) })
	if len(silent) != 0 || len(others) == 0 {
		t.Errorf("while silent, these nodes asked for something: %v; of the others, %d did", silent, len(others))
	}
	eventually(t, "all nodes ready, without taints", func() bool {
		nodes, err := s.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		tainted := slices.ContainsFunc(nodes.Items, func(n corev1.Node) bool { return len(n.Spec.Taints) > 0 })
		return !tainted && len(s.ready(t, corev1.ConditionTrue)) == sharedNodes+ownNodes
	})
	s.noFailures(t)
}

// testDrain drains nodes whose pods a disruption budget guards: some evictions
// must wait, as kubectl's do.
func (s *stage) testDrain(t *testing.T) {
	const replicas = 3 * (sharedNodes + ownNodes)
	n, two, labels := int32(replicas), intstr.FromInt32(2), map[string]string{"app": "guarded"}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "guarded"},
		Spec: appsv1.DeploymentSpec{
			Replicas: &n, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "registry.example/guarded"}}},
			},
		},
	}
	if _, err := s.kube.AppsV1().Deployments("default").Create(t.Context(), deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	budget := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "guarded"},
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &two, Selector: &metav1.LabelSelector{MatchLabels: labels}},
	}
	if _, err := s.kube.PolicyV1().PodDisruptionBudgets("default").Create(t.Context(), budget, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	whole := func() bool {
		d, err := s.kube.AppsV1().Deployments("default").Get(t.Context(), "guarded", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.kube.PolicyV1().PodDisruptionBudgets("default").Get(t.Context(), "guarded", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return d.Status.AvailableReplicas == replicas && b.Status.DisruptionsAllowed == 2
	}
	eventually(t, "all pods running", whole)

	drain := operations.Kinds["drain"]().(*operations.Drain)
	// The time that a node may take is the default's: of the pods of three nodes
	// the budget lets two go at a time, and each asks again after five seconds.
	drain.Fleet, drain.AtOnce = "fleet", 3
	got := s.run(t.Context(), t, "drain", acts.SortOperation, drain, 0)
	taken := s.count(t, func(a asked) bool { return a.Object.Subresource == "eviction" && a.Response.Code == 201 })[""]
	putOff := s.count(t, func(a asked) bool { return a.Object.Subresource == "eviction" && a.Response.Code == 429 })[""]
	if got.Facts["nodes"] != sharedNodes/10 || got.Facts["pods.evicted"] != float64(taken) || taken == 0 {
		t.Errorf("the API server took %d evictions, the facts are %v", taken, got.Facts)
	}
	if got.Facts["evictions.refused"] == 0 || putOff < int(got.Facts["evictions.refused"]) {
		t.Errorf("the API server put off %d evictions, the facts are %v", putOff, got.Facts)
	}
	eventually(t, "all pods running again", whole)
}

// eventually waits until something is observed.
func eventually(t *testing.T, what string, observed func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	for !observed() {
		if time.Now().After(deadline) {
			t.Errorf("not seen within 90 s: %s", what)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
