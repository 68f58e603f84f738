//go:build cluster

package local

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/internal/ledger"
)

func store(t testing.TB) *components.Store {
	t.Helper()
	s, err := components.Open(components.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func runID() string { return fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano()) }

// options are those of a cluster in the test's directories.
func options(t testing.TB, spec clusters.Spec) Options {
	t.Helper()
	l, err := ledger.Create(runID())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Finish(); err != nil {
			t.Error(err)
		}
	})
	return Options{
		Spec: spec, Dir: filepath.Join(t.TempDir(), "cluster"), LogDir: t.TempDir(), Store: store(t), Ledger: l,
		Sink: func(e clusters.Event) { t.Logf("%s %s %s", time.Now().Format("05.000"), e.Component, e.Text) },
	}
}

// up starts a cluster that ends with the test, and with it everything it made.
func up(t testing.TB, o Options) *Cluster {
	t.Helper()
	c, err := Up(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(o.Dir); !os.IsNotExist(err) {
			t.Errorf("the cluster's directory is still there: %v", err)
		}
	})
	return c
}

func sharded() clusters.Spec {
	return clusters.Spec{Etcd: clusters.Etcd{Members: 3, Shards: []clusters.Shard{{Name: "events", Resources: []string{"/events"}}}}}
}

func client(t testing.TB, c *Cluster) kubernetes.Interface {
	t.Helper()
	k, err := kubernetes.NewForConfig(c.Access().REST)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// at opens a client of a member.
func at(t testing.TB, c *Cluster, shard string, index int) *etcd.Client {
	t.Helper()
	m := clusters.OfKind(c, clusters.KindEtcd, shard)[index]
	e, err := etcd.Open(m.Endpoints().Client, c.Access().EtcdTLS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// keys lists the keys that a member has with a prefix.
func keys(t testing.TB, c *Cluster, shard string, index int, prefix string) []string {
	t.Helper()
	out, err := at(t, c, shard, index).Keys(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func put(t testing.TB, c *Cluster, name string) {
	t.Helper()
	k := client(t, c)
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default"}}
	if _, err := k.CoreV1().ConfigMaps("default").Create(t.Context(), cm, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: name, Namespace: "default"},
		InvolvedObject: corev1.ObjectReference{Kind: "Namespace", Name: "default", Namespace: "default"}, Reason: "Test",
	}
	if _, err := k.CoreV1().Events("default").Create(t.Context(), event, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestShards proves from the members' own keys who holds what.
func TestShardsHoldTheirResourcesAndNoOthers(t *testing.T) {
	c := up(t, options(t, sharded()))
	put(t, c, "here")
	for i := range 3 {
		if got := keys(t, c, "main", i, "/registry/events/"); len(got) != 0 {
			t.Errorf("member %d of main holds events: %v", i, got)
		}
		if got := keys(t, c, "main", i, "/registry/configmaps/default/here"); len(got) != 1 {
			t.Errorf("member %d of main holds %d of the configmap", i, len(got))
		}
	}
	if got := keys(t, c, "events", 0, "/registry/events/default/here"); len(got) != 1 {
		t.Errorf("the events shard holds %d of the event", len(got))
	}
	for _, key := range keys(t, c, "events", 0, "/registry/") {
		if !strings.HasPrefix(key, "/registry/events/") {
			t.Errorf("the events shard holds %s", key)
		}
	}
	t.Run("reset", func(t *testing.T) { resets(t, c) })
	t.Run("member", func(t *testing.T) { membersComeAndGo(t, c) })
	t.Run("link", func(t *testing.T) { linksAreCut(t, c) })
	t.Run("restore", func(t *testing.T) { membersGoBack(t, c) })
	t.Run("topology", func(t *testing.T) { topologiesChange(t, c) })
}

// settledKeys are the keys of a shard without those that come and go by time.
func settledKeys(t *testing.T, c *Cluster, shard string) []string {
	return slices.DeleteFunc(keys(t, c, shard, 0, "/registry/"), func(k string) bool {
		return strings.HasPrefix(k, "/registry/leases/") || strings.HasPrefix(k, "/registry/masterleases/") || strings.HasPrefix(k, "/registry/events/")
	})
}

func resets(t *testing.T, c *Cluster) {
	if err := c.Reset(t.Context(), c.Spec()); err != nil {
		t.Fatal(err)
	}
	before := settledKeys(t, c, "main")
	put(t, c, "forget-me")
	faster := c.Spec()
	faster.Etcd.HeartbeatInterval, faster.Etcd.ElectionTimeout = ms(50), ms(500)
	faster.Kubernetes.APIServer.Flags = map[string]string{"goaway-chance": "0.001", "profiling": "-"}
	faster.Kubernetes.Scheduler.Env = map[string]string{"STORM_TEST": "there"}
	if err := c.Reset(t.Context(), faster); err != nil {
		t.Fatal(err)
	}
	for shard, key := range map[string]string{"main": "/registry/configmaps/default/forget-me", "events": "/registry/events/default/forget-me"} {
		if got := keys(t, c, shard, 0, key); len(got) != 0 {
			t.Errorf("the reset kept %v", got)
		}
	}
	if after := settledKeys(t, c, "main"); !slices.Equal(before, after) {
		t.Errorf("after a reset there were %d keys, after the next %d:\n%v\n%v", len(before), len(after), before, after)
	}
	for _, want := range []struct {
		kind       clusters.Kind
		file, text string
		there      bool
	}{
		{clusters.KindEtcd, "cmdline", "--election-timeout=500", true},
		{clusters.KindAPIServer, "cmdline", "--goaway-chance=0.001", true},
		{clusters.KindAPIServer, "cmdline", "--profiling", false},
		{clusters.KindScheduler, "environ", "STORM_TEST=there", true},
	} {
		for _, comp := range clusters.OfKind(c, want.kind, "") {
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", comp.State().PID, want.file))
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte(want.text)) != want.there {
				t.Errorf("%s: %q in its %s: want %v", comp.ID(), want.text, want.file, want.there)
			}
		}
	}
}

// membersComeAndGo stops a member, changes it, and starts it, while the rest
// lives and takes writes.
func membersComeAndGo(t *testing.T, c *Cluster) {
	ctx := t.Context()
	member := clusters.OfKind(c, clusters.KindEtcd, "main")[1]
	handle := member.(clusters.Restarter)
	before := member.State()
	if err := handle.Stop(ctx, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if st := member.State(); st.Running || !st.Asked || st.PID != 0 || st.Exit == "" {
		t.Errorf("after it was stopped: %+v", st)
	}
	put(t, c, "without-one")
	if err := handle.Start(ctx, clusters.Change{Flags: map[string]string{"log-level": "debug"}}); err != nil {
		t.Fatal(err)
	}
	if err := handle.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	if st := member.State(); !st.Running || st.PID == before.PID || st.Asked || !st.Started.After(before.Started) {
		t.Errorf("after it was started again: %+v, before: %+v", st, before)
	}
	if got := keys(t, c, "main", 1, "/registry/configmaps/default/without-one"); len(got) != 1 {
		t.Errorf("the member that was away has %v", got)
	}
	b, err := os.ReadFile(member.Log())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(`"level":"debug"`)) {
		t.Error("the changed member does not log as it was told to")
	}
}

func linksAreCut(t *testing.T, c *Cluster) {
	ctx := t.Context()
	a, b := clusters.OfKind(c, clusters.KindEtcd, "main")[0].ID(), clusters.OfKind(c, clusters.KindEtcd, "main")[1].ID()
	if why := Capabilities(c.Spec())[clusters.CanLink]; why != "" {
		if err := c.Cut(ctx, a, b); err == nil {
			t.Errorf("a link was cut though %s", why)
		}
		t.Skip(why)
	}
	if err := c.Cut(ctx, a, b); err != nil {
		t.Fatal(err)
	}
	for n := uint64(0); n == 0; {
		var err error
		if n, err = c.Dropped(ctx, a, b); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Mend(ctx, a, b); err != nil {
		t.Fatal(err)
	}
	for _, m := range clusters.OfKind(c, clusters.KindEtcd, "main") {
		if err := m.(clusters.Restarter).Ready(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// membersGoBack restores all members of main from one snapshot.
func membersGoBack(t *testing.T, c *Cluster) {
	ctx := t.Context()
	put(t, c, "kept")
	file := filepath.Join(t.TempDir(), "main.db")
	if err := at(t, c, "main", 0).Save(ctx, file); err != nil {
		t.Fatal(err)
	}
	tool, err := c.Etcdutl("main")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := etcd.Verify(ctx, tool, file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, c, "lost")
	stop := func(kind clusters.Kind, shard string) {
		t.Helper()
		for _, m := range clusters.OfKind(c, kind, shard) {
			if err := m.(clusters.Restarter).Stop(ctx, 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	start := func(kind clusters.Kind, shard string) {
		t.Helper()
		for _, m := range clusters.OfKind(c, kind, shard) {
			if err := m.(clusters.Restarter).Start(ctx, clusters.Change{}); err != nil {
				t.Fatal(err)
			}
		}
		for _, m := range clusters.OfKind(c, kind, shard) {
			if err := m.(clusters.Restarter).Ready(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	const bump = 1_000_000
	members := clusters.OfKind(c, clusters.KindEtcd, "main")
	if err := c.RestoreMember(ctx, members[0].ID(), file, bump); err == nil {
		t.Fatal("a running member's data was replaced")
	}
	stop(clusters.KindAPIServer, "")
	stop(clusters.KindEtcd, "main")
	for _, m := range members {
		if err := c.RestoreMember(ctx, m.ID(), file, bump); err != nil {
			t.Fatal(err)
		}
	}
	start(clusters.KindEtcd, "main")
	for i := range members {
		if got := keys(t, c, "main", i, "/registry/configmaps/default/kept"); len(got) != 1 {
			t.Errorf("member %d lost what was in the snapshot: %v", i, got)
		}
		if got := keys(t, c, "main", i, "/registry/configmaps/default/lost"); len(got) != 0 {
			t.Errorf("member %d has what came after the snapshot", i)
		}
		st, err := at(t, c, "main", i).Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if st.Revision < sum.Revision+bump {
			t.Errorf("member %d is at revision %d, want %d or more", i, st.Revision, sum.Revision+bump)
		}
		if gone, err := at(t, c, "main", i).Compacted(ctx, sum.Revision); err != nil || !gone {
			t.Errorf("member %d still gives revision %d: %v", i, sum.Revision, err)
		}
	}
	start(clusters.KindAPIServer, "")
	put(t, c, "after")
}

// topologiesChange resets to another topology, which has no golden copy yet,
// and back.
func topologiesChange(t *testing.T, c *Cluster) {
	first := c.Spec()
	if err := c.Reset(t.Context(), clusters.Spec{}); err != nil {
		t.Fatal(err)
	}
	if n := len(clusters.OfKind(c, clusters.KindEtcd, "")); n != 1 {
		t.Errorf("%d members run, want 1", n)
	}
	put(t, c, "in-one")
	if got := keys(t, c, "main", 0, "/registry/events/default/in-one"); len(got) != 1 {
		t.Errorf("without shards main holds %v", got)
	}
	if err := c.Reset(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if n := len(clusters.OfKind(c, clusters.KindEtcd, "")); n != 4 {
		t.Errorf("%d members run, want 4", n)
	}
	if got := keys(t, c, "main", 0, "/registry/configmaps/default/"); len(got) != 1 { // kube-root-ca.crt
		t.Errorf("main holds %v", got)
	}
	if len(c.golden) != 2 {
		t.Errorf("there are %d golden copies, want 2", len(c.golden))
	}
}
