//go:build kind

package kind_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/clusters/kind"
	"github.com/storm-harness/storm/clusters/kind/kindtest"
	"github.com/storm-harness/storm/clusters/ready"
)

func events() []clusters.Shard {
	return []clusters.Shard{{Name: "events", Resources: []string{"/events"}}}
}

func client(t testing.TB, c *kind.Cluster) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	k, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// keys are those of a shard with a prefix, as its first member has them at one revision.
func keys(t testing.TB, c clusters.Cluster, shard, prefix string) []string {
	t.Helper()
	member := clusters.OfKind(c, clusters.KindEtcd, shard)[0]
	e, err := etcd.Open(member.Endpoints().Client, c.Access().EtcdTLS)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	out, err := e.Keys(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What ends a test that hangs: whatever is waited for may be slow on a busy machine, and
// a reset may come down to a cluster made anew.
const (
	guard = 15 * time.Minute
	soon  = ready.Patience
)

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// older is the etcd of a shard that has one of its own.
const older = "v3.5.35"

// TestOneNodeWithShards takes one cluster through what its handles can do.
func TestOneNodeWithShards(t *testing.T) {
	var exits []string
	o := kindtest.Options(t, clusters.Spec{
		Kubernetes: clusters.Kubernetes{
			APIServer:         clusters.Deployment{Flags: map[string]string{"goaway-chance": "0.001"}, FeatureGates: map[string]bool{"WatchList": true}},
			ControllerManager: clusters.Deployment{Flags: map[string]string{"concurrent-gc-syncs": "7"}, FeatureGates: map[string]bool{"AllAlpha": false}, Env: map[string]string{"GOGC": "93"}},
			Scheduler:         clusters.Deployment{Flags: map[string]string{"kube-api-qps": "61"}, FeatureGates: map[string]bool{"AllAlpha": false}},
		},
		Etcd: clusters.Etcd{Quota: 64 << 20, Shards: []clusters.Shard{
			{Name: "events", Resources: []string{"/events"}, Version: older, Quota: 48 << 20},
			{Name: "state", Resources: []string{"/pods", "coordination.k8s.io/leases"}},
		}},
	})
	told := make(chan string, 100)
	o.Exited = func(id clusters.ID, how string) { told <- id.String() + ": " + how }
	c := kindtest.UpWith(t, o)
	if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
		t.Fatal(err)
	}
	t.Run("every component is a handle", func(t *testing.T) { everyHandle(t, c) })
	t.Run("shards hold their own", func(t *testing.T) { shardsHoldTheirOwn(t, c) })
	t.Run("shards are as the spec has them", func(t *testing.T) { shardsAsWanted(t, c) })
	t.Run("flags are in force", func(t *testing.T) { flagsInForce(t, c) })
	t.Run("components stop and start", func(t *testing.T) { comeAndGo(t, c) })
	// Without an apiserver controllers end themselves, and their kubelet starts them.
	for _, e := range taken(told) {
		if endedItself(e, clusters.KindControllerManager, clusters.KindScheduler) {
			t.Log("while its apiserver was away: ", e)
		} else {
			exits = append(exits, e)
		}
	}
	t.Run("signals arrive", func(t *testing.T) { signals(t, c) })
	t.Run("reset goes back", func(t *testing.T) { resetGoesBack(t, c) })
	c.Told(within(t, soon))
	for _, e := range taken(told) {
		if endedItself(e, clusters.KindControllerManager, clusters.KindScheduler) {
			t.Log("while all of it was started again: ", e)
		} else {
			exits = append(exits, e)
		}
	}
	t.Run("an end is told", func(t *testing.T) { endIsTold(t, c, told) })
	exits = append(exits, taken(told)...)
	t.Run("another topology is made anew", func(t *testing.T) { madeAnew(t, c) })
	// The nodes that were went with all that ran in them.
	for _, e := range taken(told) {
		t.Log("while another cluster was made: ", e)
	}
	if len(exits) > 0 {
		t.Errorf("ended though nobody asked: %v", exits)
	}
}

// taken are the ends that were told of so far.
func taken(told chan string) []string {
	var out []string
	for {
		select {
		case e := <-told:
			out = append(out, e)
		default:
			return out
		}
	}
}

// endedItself says whether what was told is that a component of one of those kinds
// ended as it does when it cannot renew its lease.
func endedItself(told string, kinds ...clusters.Kind) bool {
	return slices.ContainsFunc(kinds, func(kind clusters.Kind) bool {
		words, is := strings.CutPrefix(told, string(kind)+"-0: exit status 1")
		return is && (words == "" || strings.HasPrefix(words, ": "))
	})
}

func everyHandle(t *testing.T, c *kind.Cluster) {
	var names []string
	for _, comp := range c.Components() {
		names = append(names, comp.ID().String())
		st := comp.State()
		if !st.Running || st.Started.IsZero() || time.Since(st.Started) > 10*time.Minute {
			t.Errorf("%s: %+v", comp.ID(), st)
		}
		if os.Geteuid() == 0 && st.PID == 0 {
			t.Errorf("%s is no process of this machine", comp.ID())
		}
		if st.PID != 0 {
			comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", st.PID))
			// What storm has brought into a node has its digest in its name.
			name := strings.TrimSpace(string(comm))
			if strings.HasPrefix(name, "etcd-") {
				name = "etcd"
			}
			if err != nil || !strings.HasPrefix(string(comp.ID().Kind), name) {
				t.Errorf("%s: process %d is %q (%v)", comp.ID(), st.PID, comm, err)
			}
		}
		// What it logs is copied as it comes, by another process.
		if err := acts.Until(within(t, 10*time.Second), func(context.Context) error {
			switch info, err := os.Stat(comp.Log()); {
			case err != nil:
				return err
			case info.Size() == 0:
				return fmt.Errorf("it logs nothing to %s", comp.Log())
			}
			return nil
		}); err != nil {
			t.Errorf("%s: %v", comp.ID(), err)
		}
	}
	want := []string{"etcd-main-0", "etcd-events-0", "etcd-state-0", "kube-apiserver-0", "kube-controller-manager-0", "kube-scheduler-0"}
	if !slices.Equal(names, want) {
		t.Errorf("the components are %v, want %v", names, want)
	}
	for _, name := range []string{"kubelet-0.log", "containerd-0.log", "kind.log"} {
		path := filepath.Join(filepath.Dir(c.Components()[0].Log()), name)
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s is empty: %v", path, err)
		}
	}
	nodes, err := client(t, c).CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil || len(nodes.Items) != 1 {
		t.Errorf("%d nodes, %v", len(nodes.Items), err)
	}
}

func event(t *testing.T, c *kind.Cluster, name string) {
	t.Helper()
	if err := makeEvent(t.Context(), client(t, c), name); err != nil {
		t.Fatal(err)
	}
}

func makeEvent(ctx context.Context, k kubernetes.Interface, name string) error {
	e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: name}, InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "default", Name: "x"}, Reason: "Test", Type: "Normal"}
	_, err := k.CoreV1().Events("default").Create(ctx, e, metav1.CreateOptions{})
	return err
}

// eventInTime is configMapInTime of an event.
func eventInTime(t *testing.T, c *kind.Cluster, name string) {
	t.Helper()
	if err := acts.Until(within(t, soon), func(ctx context.Context) error {
		err := makeEvent(ctx, client(t, c), name)
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func configMap(t *testing.T, c *kind.Cluster, name string) {
	t.Helper()
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := client(t, c).CoreV1().ConfigMaps("default").Create(t.Context(), m, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// configMapInTime makes one while a part of the control plane is down: what was
// down may have led etcd, and a write that was on its way to it times out.
func configMapInTime(t *testing.T, c *kind.Cluster, name string) {
	t.Helper()
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := acts.Until(within(t, soon), func(ctx context.Context) error {
		_, err := client(t, c).CoreV1().ConfigMaps("default").Create(ctx, m, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil // by an attempt that seemed to have failed
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func shardsHoldTheirOwn(t *testing.T, c *kind.Cluster) {
	event(t, c, "one")
	configMap(t, c, "one")
	for _, at := range []struct {
		shard, prefix string
		want          bool
	}{
		{"events", "/registry/events/default/one", true}, {"main", "/registry/events/", false},
		{"main", "/registry/configmaps/default/one", true}, {"events", "/registry/configmaps/", false},
		{"state", "/registry/leases/kube-system/", true}, {"main", "/registry/leases/", false},
		{"state", "/registry/pods/kube-system/", true}, {"main", "/registry/pods/", false},
		{"state", "/registry/events/", false}, {"state", "/registry/configmaps/", false},
	} {
		if n := len(keys(t, c, at.shard, at.prefix)); (n > 0) != at.want {
			t.Errorf("shard %s has %d keys below %s", at.shard, n, at.prefix)
		}
	}
}

// shardsAsWanted asks each shard's member which version it runs and which quota it has.
func shardsAsWanted(t *testing.T, c *kind.Cluster) {
	for shard, want := range map[string]struct {
		version string
		quota   int64
	}{"main": {"3.6.", 64 << 20}, "events": {strings.TrimPrefix(older, "v"), 48 << 20}, "state": {"3.6.", 64 << 20}} {
		member := clusters.OfKind(c, clusters.KindEtcd, shard)[0]
		e, err := etcd.Open(member.Endpoints().Client, c.Access().EtcdTLS)
		if err != nil {
			t.Fatal(err)
		}
		st, err := e.Status(t.Context())
		e.Close()
		if err != nil || !strings.HasPrefix(st.Version, want.version) {
			t.Errorf("shard %s runs %s, want %s (%v)", shard, st.Version, want.version, err)
		}
		if args, seen := arguments(t, member); seen && !slices.Contains(args, fmt.Sprintf("--quota-backend-bytes=%d", want.quota)) {
			t.Errorf("shard %s runs as %v, want a quota of %d", shard, args, want.quota)
		}
	}
}

// arguments are what a component's process was started with, where it can be looked at.
func arguments(t *testing.T, comp clusters.Component) (args []string, seen bool) {
	t.Helper()
	pid := comp.State().PID
	if pid == 0 {
		t.Logf("%s is no process that could be looked at from here", comp.ID())
		return nil, false
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(line), "\x00"), true
}

func flagsInForce(t *testing.T, c *kind.Cluster) {
	for kind, wanted := range map[clusters.Kind][]string{
		clusters.KindAPIServer:         {"--goaway-chance=0.001", "--feature-gates=WatchList=true", "--profiling=false"},
		clusters.KindControllerManager: {"--concurrent-gc-syncs=7", "--feature-gates=AllAlpha=false"},
		clusters.KindScheduler:         {"--kube-api-qps=61", "--feature-gates=AllAlpha=false"},
	} {
		args, seen := arguments(t, clusters.OfKind(c, kind, "")[0])
		for _, want := range wanted {
			if seen && !slices.Contains(args, want) {
				t.Errorf("%s: %s is missing among %v", kind, want, args)
			}
		}
	}
	manager := clusters.OfKind(c, clusters.KindControllerManager, "")[0]
	if os.Geteuid() != 0 {
		return // another's environment is its own
	}
	if env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", manager.State().PID)); err != nil || !slices.Contains(strings.Split(string(env), "\x00"), "GOGC=93") {
		t.Errorf("%s runs without GOGC=93 (%v)", manager.ID(), err)
	}
}
