//go:build kind

package kind_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/clusters/kind"
	"github.com/storm-harness/storm/clusters/kind/kindtest"
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

// keys counts the keys of a shard with a prefix, at its first member.
func keys(t testing.TB, c clusters.Cluster, shard, prefix string) int64 {
	t.Helper()
	member := clusters.OfKind(c, clusters.KindEtcd, shard)[0]
	e, err := etcd.Open(member.Endpoints().Client, c.Access().EtcdTLS)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	n, err := e.Count(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// TestOneNodeWithAShardOfEvents takes one cluster through what its handles can do.
func TestOneNodeWithAShardOfEvents(t *testing.T) {
	var exits []string
	o := kindtest.Options(t, clusters.Spec{
		Kubernetes: clusters.Kubernetes{APIServer: clusters.Deployment{Flags: map[string]string{"goaway-chance": "0.001"}, FeatureGates: map[string]bool{"WatchList": true}}},
		Etcd:       clusters.Etcd{Shards: events(), Quota: 64 << 20},
	})
	told := make(chan string, 100)
	o.Exited = func(id clusters.ID, how string) { told <- id.String() + ": " + how }
	c := kindtest.UpWith(t, o)
	if err := acts.AwaitHealthy(within(t, time.Minute), c); err != nil {
		t.Fatal(err)
	}
	t.Run("every component is a handle", func(t *testing.T) { everyHandle(t, c) })
	t.Run("shards hold their own", func(t *testing.T) { shardsHoldTheirOwn(t, c) })
	t.Run("flags are in force", func(t *testing.T) { flagsInForce(t, c) })
	t.Run("components stop and start", func(t *testing.T) { comeAndGo(t, c) })
	// Without an apiserver controllers end themselves, and their kubelet starts them.
	for _, e := range taken(told) {
		if !strings.Contains(e, "exit status 1") {
			exits = append(exits, e)
		}
	}
	t.Run("signals arrive", func(t *testing.T) { signals(t, c) })
	t.Run("reset goes back", func(t *testing.T) { resetGoesBack(t, c) })
	t.Run("an end is told", func(t *testing.T) { endIsTold(t, c, told) })
	exits = append(exits, taken(told)...)
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
			if want := string(comp.ID().Kind); err != nil || !strings.HasPrefix(want, strings.TrimSpace(string(comm))) {
				t.Errorf("%s: process %d is %q (%v)", comp.ID(), st.PID, comm, err)
			}
		}
		if info, err := os.Stat(comp.Log()); err != nil || info.Size() == 0 {
			t.Errorf("%s logs nothing to %s: %v", comp.ID(), comp.Log(), err)
		}
	}
	want := []string{"etcd-main-0", "etcd-events-0", "kube-apiserver-0", "kube-controller-manager-0", "kube-scheduler-0"}
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
	e := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: name}, InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "default", Name: "x"}, Reason: "Test", Type: "Normal"}
	if _, err := client(t, c).CoreV1().Events("default").Create(t.Context(), e, metav1.CreateOptions{}); err != nil {
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

func shardsHoldTheirOwn(t *testing.T, c *kind.Cluster) {
	event(t, c, "one")
	configMap(t, c, "one")
	for _, at := range []struct {
		shard, prefix string
		want          bool
	}{
		{"events", "/registry/events/default/one", true}, {"main", "/registry/events/", false},
		{"main", "/registry/configmaps/default/one", true}, {"events", "/registry/configmaps/", false},
	} {
		if n := keys(t, c, at.shard, at.prefix); (n > 0) != at.want {
			t.Errorf("shard %s has %d keys below %s", at.shard, n, at.prefix)
		}
	}
}

func flagsInForce(t *testing.T, c *kind.Cluster) {
	api := clusters.OfKind(c, clusters.KindAPIServer, "")[0]
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", api.State().PID))
	if err != nil {
		t.Skip("its process cannot be looked at from here:", err)
	}
	args := strings.Split(string(line), "\x00")
	for _, want := range []string{"--goaway-chance=0.001", "--feature-gates=WatchList=true", "--profiling=false"} {
		if !slices.Contains(args, want) {
			t.Errorf("%s is missing among %v", want, args)
		}
	}
}

func comeAndGo(t *testing.T, c *kind.Cluster) {
	for _, comp := range c.Components() {
		h := comp.(clusters.Restarter)
		before := comp.State()
		if err := h.Stop(within(t, time.Minute), 0); err != nil {
			t.Fatal(err)
		}
		if st := comp.State(); st.Running || st.Exit != "signal: killed" || !st.Asked {
			t.Errorf("%s, stopped: %+v", comp.ID(), st)
		}
		began := time.Now()
		if err := h.Start(within(t, time.Minute), clusters.Change{}); err != nil {
			t.Fatal(err)
		}
		started := time.Since(began)
		if err := h.Ready(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		if st := comp.State(); !st.Running || !st.Started.After(before.Started) || st.PID != 0 && st.PID == before.PID {
			t.Errorf("%s, started again: %+v, before %+v", comp.ID(), st, before)
		}
		t.Logf("%s ran again after %.1fs, and was ready after %.1fs", comp.ID(), started.Seconds(), time.Since(began).Seconds())
	}
}

func signals(t *testing.T, c *kind.Cluster) {
	for _, comp := range c.Components() {
		pid := comp.State().PID
		if pid == 0 {
			t.Skip("processes cannot be looked at from here")
		}
		s := comp.(clusters.Signaler)
		if err := s.Signal(t.Context(), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if err := acts.Until(within(t, 10*time.Second), func(context.Context) error { return stateIs(pid, "T") }); err != nil {
			t.Errorf("%s: %v", comp.ID(), err)
		}
		if err := s.Signal(t.Context(), syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	if err := acts.AwaitHealthy(within(t, time.Minute), c); err != nil {
		t.Error(err)
	}
}

func stateIs(pid int, want string) error {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return err
	}
	rest := string(b)[strings.LastIndexByte(string(b), ')')+1:]
	if got := strings.Fields(rest)[0]; got != want {
		return fmt.Errorf("process %d is in the state %s", pid, got)
	}
	return nil
}

func resetGoesBack(t *testing.T, c *kind.Cluster) {
	configMap(t, c, "to-be-forgotten")
	event(t, c, "to-be-forgotten")
	before := map[string]int{}
	for _, comp := range c.Components() {
		before[comp.ID().String()] = comp.State().PID
	}
	spec := c.Spec()
	spec.Kubernetes.APIServer.Flags = map[string]string{"goaway-chance": "0.002"}
	if err := c.Reset(within(t, 3*time.Minute), spec); err != nil {
		t.Fatal(err)
	}
	if err := acts.AwaitHealthy(within(t, time.Minute), c); err != nil {
		t.Fatal(err)
	}
	for shard, prefix := range map[string]string{"main": "/registry/configmaps/default/to-be-forgotten", "events": "/registry/events/default/to-be-forgotten"} {
		if n := keys(t, c, shard, prefix); n != 0 {
			t.Errorf("shard %s still has %s", shard, prefix)
		}
	}
	for _, comp := range c.Components() {
		if pid := comp.State().PID; pid != 0 && pid == before[comp.ID().String()] {
			t.Errorf("%s is the process that it was", comp.ID())
		}
	}
	configMap(t, c, "after")
}

func endIsTold(t *testing.T, c *kind.Cluster, told chan string) {
	api := clusters.OfKind(c, clusters.KindScheduler, "")[0]
	pid := api.State().PID
	if pid == 0 {
		t.Skip("processes cannot be reached from here")
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-told:
		if got != "kube-scheduler-0: signal: killed" {
			t.Errorf("told of %s", got)
		}
	case <-time.After(30 * time.Second):
		t.Error("nobody was told")
	}
	// Its kubelet starts it again by itself.
	if err := acts.AwaitHealthy(within(t, 2*time.Minute), c); err != nil {
		t.Error(err)
	}
}
