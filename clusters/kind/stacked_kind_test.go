//go:build kind

package kind_test

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/kind/kindtest"
	"github.com/storm-harness/storm/internal/unit"
)

// TestStacked has three control planes with a member each, which their apiservers
// alone ask, and a shard of Events apart.
func TestStacked(t *testing.T) {
	three := 3
	spec := clusters.Spec{
		Kubernetes: clusters.Kubernetes{APIServer: clusters.Deployment{Replicas: &three}},
		Etcd: clusters.Etcd{
			Members: three, Topology: clusters.Stacked, Shards: events(),
			HeartbeatInterval: unit.Duration(200 * time.Millisecond), ElectionTimeout: unit.Duration(2 * time.Second),
		},
	}
	c := kindtest.Up(t, spec)
	if err := acts.AwaitHealthy(within(t, time.Minute), c); err != nil {
		t.Fatal(err)
	}
	find := func(kind clusters.Kind, i int) clusters.Component {
		id := clusters.ID{Kind: kind, Index: i}
		if kind == clusters.KindEtcd {
			id.Shard = clusters.MainShard
		}
		found, ok := clusters.Find(c, id)
		if !ok {
			t.Fatalf("%s has no handle", id)
		}
		return found
	}
	commandLine := func(c clusters.Component) string {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(c.State().PID) + "/cmdline")
		if err != nil {
			t.Fatalf("%s: %v", c.ID(), err)
		}
		return strings.ReplaceAll(string(text), "\x00", " ")
	}
	for i := range three {
		member, server := find(clusters.KindEtcd, i), find(clusters.KindAPIServer, i)
		if got := commandLine(member); !strings.Contains(got, "--heartbeat-interval=200 ") {
			t.Errorf("%s runs as %s", member.ID(), got)
		}
		if got := commandLine(server); !strings.Contains(got, "--etcd-servers=https://127.0.0.1:2379 ") {
			t.Errorf("%s runs as %s", server.ID(), got)
		}
		if a, b := member.Endpoints().Host, server.Endpoints().Host; a != b {
			t.Errorf("%s is at %s, and %s at %s", member.ID(), a, server.ID(), b)
		}
		if info, err := os.Stat(member.Log()); err != nil || info.Size() == 0 {
			t.Errorf("%s logs nothing: %v", member.ID(), err)
		}
	}
	met := map[string]bool{} // by loads
	for turn := range uint64(three) {
		config := clusters.Balanced(c, turn)
		dial := config.Dial
		config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if err == nil {
				met[conn.RemoteAddr().String()] = true
			}
			return conn, err
		}
		kube, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kube.CoreV1().Namespaces().List(within(t, time.Minute), metav1.ListOptions{}); err != nil {
			t.Error(err)
		}
	}
	if len(met) != three {
		t.Errorf("three loads met the API servers %v", met)
	}
	t.Run("a member that is down takes its apiserver with it, and no other", func(t *testing.T) {
		configMap(t, c, "before")
		member := find(clusters.KindEtcd, 2).(clusters.Restarter)
		server := find(clusters.KindAPIServer, 2).(clusters.Restarter)
		if err := member.Stop(within(t, time.Minute), 0); err != nil {
			t.Fatal(err)
		}
		// It looks after its etcd now and then only.
		if err := acts.Until(within(t, 30*time.Second), func(ctx context.Context) error {
			short, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if server.Ready(short) == nil {
				return errors.New("its apiserver says that it is ready without its member")
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		configMapInTime(t, c, "while-down") // through another node
		if err := member.Start(within(t, 2*time.Minute), clusters.Change{Flags: map[string]string{"snapshot-count": "1234"}}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(member.Ready(within(t, time.Minute)), server.Ready(within(t, time.Minute))); err != nil {
			t.Fatal(err)
		}
		if got := commandLine(find(clusters.KindEtcd, 2)); !strings.Contains(got, "--snapshot-count=1234 ") {
			t.Errorf("it runs as %s", got)
		}
	})
	t.Run("members are cut off from each other", func(t *testing.T) {
		a, b := find(clusters.KindEtcd, 0).ID(), find(clusters.KindEtcd, 1).ID()
		if err := c.Cut(t.Context(), a, b); err != nil {
			t.Fatal(err)
		}
		if err := acts.Until(within(t, 30*time.Second), func(ctx context.Context) error {
			if n, err := c.Dropped(ctx, a, b); err != nil || n == 0 {
				return errors.Join(err, errors.New("no packet was dropped"))
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
		if err := c.Mend(t.Context(), a, b); err != nil {
			t.Fatal(err)
		}
		if err := c.Cut(t.Context(), a, clusters.ID{Kind: clusters.KindAPIServer}); err == nil {
			t.Error("a link of a node to itself was cut")
		}
		if err := acts.AwaitHealthy(within(t, 2*time.Minute), c); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the golden copy is put back in place", func(t *testing.T) {
		pid := find(clusters.KindEtcd, 0).State().PID
		if err := c.Reset(within(t, 5*time.Minute), c.Spec()); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"before", "while-down"} {
			if n := keys(t, c, "main", "/registry/configmaps/default/"+name); n != 0 {
				t.Errorf("%s outlived the reset", name)
			}
		}
		if find(clusters.KindEtcd, 0).State().PID == pid {
			t.Error("the member runs on as before the reset")
		}
		if got := commandLine(find(clusters.KindEtcd, 2)); strings.Contains(got, "1234") {
			t.Errorf("a change outlived the reset: %s", got)
		}
		if err := acts.AwaitHealthy(within(t, time.Minute), c); err != nil {
			t.Fatal(err)
		}
	})
}
