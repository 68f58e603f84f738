//go:build cluster

package local

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/clusters/local/supervise"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/unit"
)

func TestMain(m *testing.M) {
	supervise.RunIfAsked()
	os.Exit(m.Run())
}

// up starts a cluster that ends with the test.
func up(t testing.TB, spec clusters.Spec, exited func(clusters.ID, string)) *Cluster {
	t.Helper()
	store, err := components.Open(components.Options{})
	if err != nil {
		t.Fatal(err)
	}
	id := fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano())
	l, err := ledger.Create(id)
	if err != nil {
		t.Fatal(err)
	}
	logs := t.TempDir()
	c, err := Up(t.Context(), Options{
		Spec: spec, Dir: filepath.Join(t.TempDir(), "cluster"), LogDir: logs, Store: store, Ledger: l, Exited: exited,
		Sink: func(e clusters.Event) { t.Logf("%s %s %s", time.Now().Format("05.000"), e.Component, e.Text) },
	})
	if err != nil {
		l.Finish()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := l.Finish(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(c.o.Dir); !os.IsNotExist(err) {
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

func keys(t testing.TB, c *Cluster, shard string, index int, prefix string) int64 {
	t.Helper()
	m := clusters.OfKind(c, clusters.KindEtcd, shard)[index]
	e, err := etcd.Open(m.Endpoints().Client, c.Access().EtcdTLS)
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

func TestShardsHoldTheirOwnKeysAndResetForgets(t *testing.T) {
	c := up(t, sharded(), nil)
	if err := c.Reset(t.Context(), c.Spec()); err != nil {
		t.Fatal(err)
	}
	k := client(t, c)
	before := keys(t, c, "main", 0, "/registry/")
	event := &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "seen", Namespace: "default"},
		InvolvedObject: corev1.ObjectReference{Kind: "Namespace", Name: "default", Namespace: "default"}, Reason: "Test"}
	if _, err := k.CoreV1().Events("default").Create(t.Context(), event, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "forget-me", Namespace: "default"}}
	if _, err := k.CoreV1().ConfigMaps("default").Create(t.Context(), cm, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := keys(t, c, "main", 0, "/registry/events/"); n != 0 {
		t.Errorf("main holds %d events", n)
	}
	if n := keys(t, c, "events", 0, "/registry/events/default/seen"); n != 1 {
		t.Errorf("the events shard holds %d of the one event", n)
	}
	if n := keys(t, c, "events", 0, "/registry/configmaps/"); n != 0 {
		t.Errorf("the events shard holds %d configmaps", n)
	}

	faster := c.Spec()
	faster.Etcd.HeartbeatInterval, faster.Etcd.ElectionTimeout = unit.Duration(50*time.Millisecond), unit.Duration(500*time.Millisecond)
	if err := c.Reset(t.Context(), faster); err != nil {
		t.Fatal(err)
	}
	if n := keys(t, c, "main", 1, "/registry/configmaps/default/forget-me"); n != 0 {
		t.Error("the reset kept a configmap")
	}
	if n := keys(t, c, "events", 0, "/registry/events/default/seen"); n != 0 {
		t.Error("the reset kept an event")
	}
	after := keys(t, c, "main", 0, "/registry/")
	if diff := after - before; diff < -40 || diff > 40 {
		t.Errorf("after the reset main holds %d keys, before %d", after, before)
	}
	pid := clusters.OfKind(c, clusters.KindEtcd, "main")[0].State().PID
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(cmdline), "--election-timeout=500") {
		t.Errorf("the member runs without the new flag: %q", cmdline)
	}
}
