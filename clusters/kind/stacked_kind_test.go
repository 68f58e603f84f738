//go:build kind

package kind_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/clusters/kind"
	"github.com/storm-harness/storm/clusters/kind/kindtest"
	"github.com/storm-harness/storm/internal/unit"
)

// TestStacked has three control planes with a member each of the main shard and of one
// of Events, which their apiservers alone ask.
func TestStacked(t *testing.T) {
	three := 3
	shards := events()
	shards[0].Members, shards[0].Topology = three, clusters.Stacked
	spec := clusters.Spec{
		Kubernetes: clusters.Kubernetes{APIServer: clusters.Deployment{Replicas: &three}},
		Etcd: clusters.Etcd{
			Members: three, Topology: clusters.Stacked, Shards: shards,
			HeartbeatInterval: unit.Duration(200 * time.Millisecond), ElectionTimeout: unit.Duration(2 * time.Second),
		},
	}
	c := kindtest.Up(t, spec)
	if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
		t.Fatal(err)
	}
	get := func(kind clusters.Kind, shard string, i int) clusters.Component {
		id := clusters.ID{Kind: kind, Shard: shard, Index: i}
		found, ok := clusters.Find(c, id)
		if !ok {
			t.Fatalf("%s has no handle", id)
		}
		return found
	}
	find := func(kind clusters.Kind, i int) clusters.Component {
		if kind == clusters.KindEtcd {
			return get(kind, clusters.MainShard, i)
		}
		return get(kind, "", i)
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
		} else if !strings.Contains(got, "--etcd-servers-overrides=/events#https://127.0.0.1:2479 ") {
			t.Errorf("%s asks for events by %s", server.ID(), got)
		}
		ofEvents := get(clusters.KindEtcd, "events", i)
		if got := commandLine(ofEvents); !strings.Contains(got, "--name="+ofEvents.ID().String()+" ") || !strings.Contains(got, "--heartbeat-interval=200 ") {
			t.Errorf("%s runs as %s", ofEvents.ID(), got)
		}
		if a, b := ofEvents.Endpoints().Host, server.Endpoints().Host; a != b {
			t.Errorf("%s is at %s, and %s at %s", ofEvents.ID(), a, server.ID(), b)
		}
		if a, b := member.Endpoints().Host, server.Endpoints().Host; a != b {
			t.Errorf("%s is at %s, and %s at %s", member.ID(), a, server.ID(), b)
		}
		if info, err := os.Stat(member.Log()); err != nil || info.Size() == 0 {
			t.Errorf("%s logs nothing: %v", member.ID(), err)
		}
	}
	event(t, c, "one")
	ownKeysOnly(t, c, "events", "/registry/events/")
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
		if _, err := kube.CoreV1().Namespaces().List(within(t, soon), metav1.ListOptions{}); err != nil {
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
		if err := member.Stop(within(t, soon), 0); err != nil {
			t.Fatal(err)
		}
		missesItsMember(t, server)
		configMapInTime(t, c, "while-down") // through another node
		if err := member.Start(within(t, soon), clusters.Change{Flags: map[string]string{"snapshot-count": "1234"}}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(member.Ready(within(t, soon)), server.Ready(within(t, soon))); err != nil {
			t.Fatal(err)
		}
		if got := commandLine(find(clusters.KindEtcd, 2)); !strings.Contains(got, "--snapshot-count=1234 ") {
			t.Errorf("it runs as %s", got)
		}
	})
	t.Run("and so does a member of a further shard", func(t *testing.T) {
		member, other := get(clusters.KindEtcd, "events", 1), find(clusters.KindEtcd, 1)
		server := find(clusters.KindAPIServer, 1).(clusters.Restarter)
		before := other.State().PID
		if err := member.(clusters.Restarter).Stop(within(t, soon), 0); err != nil {
			t.Fatal(err)
		}
		if st := member.State(); st.Running || st.Exit != "signal: killed" {
			t.Errorf("stopped, it is %+v", st)
		}
		missesItsMember(t, server)
		eventInTime(t, c, "while-down") // through another node
		if err := member.(clusters.Restarter).Start(within(t, soon), clusters.Change{Flags: map[string]string{"snapshot-count": "4321"}}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(member.(clusters.Restarter).Ready(within(t, soon)), server.Ready(within(t, soon))); err != nil {
			t.Fatal(err)
		}
		if got := commandLine(member); !strings.Contains(got, "--snapshot-count=4321 ") {
			t.Errorf("it runs as %s", got)
		}
		if other.State().PID != before {
			t.Error("the main shard's member on its node was started again too")
		}
	})
	t.Run("members are cut off from each other", func(t *testing.T) {
		a, b := find(clusters.KindEtcd, 0).ID(), find(clusters.KindEtcd, 1).ID()
		if err := c.Cut(t.Context(), a, b); err != nil {
			t.Fatal(err)
		}
		if err := acts.Until(within(t, soon), func(ctx context.Context) error {
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
		if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("the golden copy is put back in place", func(t *testing.T) {
		pid := find(clusters.KindEtcd, 0).State().PID
		if err := c.Reset(within(t, guard), c.Spec()); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"before", "while-down"} {
			if n := len(keys(t, c, "main", "/registry/configmaps/default/"+name)); n != 0 {
				t.Errorf("%s outlived the reset", name)
			}
		}
		for _, name := range []string{"one", "while-down"} {
			if n := len(keys(t, c, "events", "/registry/events/default/"+name)); n != 0 {
				t.Errorf("the event %s outlived the reset", name)
			}
		}
		if got := c.ResetHow(); got != "back at the golden copy in place" {
			t.Errorf("it came about %q", got)
		}
		event(t, c, "after")
		ownKeysOnly(t, c, "events", "/registry/events/")
		if got := commandLine(get(clusters.KindEtcd, "events", 1)); strings.Contains(got, "4321") {
			t.Errorf("a change outlived the reset: %s", got)
		}
		if find(clusters.KindEtcd, 0).State().PID == pid {
			t.Error("the member runs on as before the reset")
		}
		if got := commandLine(find(clusters.KindEtcd, 2)); strings.Contains(got, "1234") {
			t.Errorf("a change outlived the reset: %s", got)
		}
		if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
			t.Fatal(err)
		}
	})
}

// ownKeysOnly says that a shard holds what is below a prefix, and nothing else, and the
// main shard none of that. The shard is read once: a cluster that has just come up
// writes events all the time.
func ownKeysOnly(t *testing.T, c *kind.Cluster, shard, prefix string) {
	t.Helper()
	held := keys(t, c, shard, "/registry/")
	if len(held) == 0 {
		t.Errorf("the shard %s is empty", shard)
	}
	for _, key := range held {
		if !strings.HasPrefix(key, prefix) {
			t.Errorf("the shard %s has %s, which is not below %s", shard, key, prefix)
		}
	}
	if n := len(keys(t, c, clusters.MainShard, prefix)); n != 0 {
		t.Errorf("the main shard has %d keys below %s", n, prefix)
	}
}

// missesItsMember waits until an apiserver is not ready for want of its member: it
// looks after its etcd now and then only.
func missesItsMember(t *testing.T, server clusters.Restarter) {
	t.Helper()
	if err := acts.Until(within(t, soon), func(ctx context.Context) error {
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if server.Ready(short) == nil {
			return errors.New("its apiserver says that it is ready without its member")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// TestStackedShardsBesideAMainShardApart has two shards in a node, one with a version and
// a quota of its own, and takes their members through what handles can do.
func TestStackedShardsBesideAMainShardApart(t *testing.T) {
	if testing.Short() {
		t.Skip("TestStacked has a stacked shard too; this one takes four minutes more")
	}
	o := kindtest.Options(t, clusters.Spec{Etcd: clusters.Etcd{Quota: 64 << 20, Shards: []clusters.Shard{
		{Name: "events", Resources: []string{"/events"}, Topology: clusters.Stacked, Version: older, Quota: 48 << 20},
		{Name: "state", Resources: []string{"/pods", "coordination.k8s.io/leases"}, Topology: clusters.Stacked},
	}}})
	told := make(chan string, 100)
	o.Exited = func(id clusters.ID, how string) { told <- id.String() + ": " + how }
	c := kindtest.UpWith(t, o)
	if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
		t.Fatal(err)
	}
	t.Run("every component is a handle", func(t *testing.T) { everyHandle(t, c) })
	t.Run("shards hold their own", func(t *testing.T) { shardsHoldTheirOwn(t, c) })
	t.Run("shards are as the spec has them", func(t *testing.T) { shardsAsWanted(t, c) })
	t.Run("their data is apart", func(t *testing.T) { dataApart(t, c, o.Dir) })
	t.Run("components stop and start", func(t *testing.T) { comeAndGo(t, c) })
	for _, e := range taken(told) {
		if !endedItself(e, clusters.KindControllerManager, clusters.KindScheduler) {
			t.Errorf("ended though nobody asked: %s", e)
		}
	}
	t.Run("signals arrive", func(t *testing.T) { signals(t, c) })
	t.Run("a member is restored", func(t *testing.T) { restored(t, c) })
	t.Run("reset goes back", func(t *testing.T) { resetGoesBack(t, c) })
	shardsHoldTheirOwn(t, c)
	for _, e := range taken(told) {
		if !endedItself(e, clusters.KindControllerManager, clusters.KindScheduler) {
			t.Errorf("ended though nobody asked: %s", e)
		}
	}
}

// dataApart says that each member's data is a directory of its own, and that it is what
// the process on the node has open.
func dataApart(t *testing.T, c *kind.Cluster, dir string) {
	for _, shard := range []string{"main", "events", "state"} {
		member := clusters.OfKind(c, clusters.KindEtcd, shard)[0]
		want, err := os.Stat(filepath.Join(dir, "data", member.ID().String(), "member", "snap", "db"))
		if err != nil {
			t.Fatal(err)
		}
		fds := filepath.Join("/proc", strconv.Itoa(member.State().PID), "fd")
		open, err := os.ReadDir(fds)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(open, func(fd os.DirEntry) bool {
			info, err := os.Stat(filepath.Join(fds, fd.Name()))
			return err == nil && os.SameFile(info, want)
		}) {
			t.Errorf("%s has another file open than its data", member.ID())
		}
	}
}

// restored puts a snapshot in the place of a member's data: what was written since is
// gone from its shard, and from no other.
func restored(t *testing.T, c *kind.Cluster) {
	event(t, c, "kept")
	member := clusters.OfKind(c, clusters.KindEtcd, "events")[0]
	e, err := etcd.Open(member.Endpoints().Client, c.Access().EtcdTLS)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	snapshot := filepath.Join(t.TempDir(), "events.db")
	if err := e.Save(t.Context(), snapshot); err != nil {
		t.Fatal(err)
	}
	event(t, c, "lost")
	configMap(t, c, "beside")
	h := member.(clusters.Restarter)
	if err := h.Stop(within(t, soon), 0); err != nil {
		t.Fatal(err)
	}
	if err := c.RestoreMember(within(t, soon), member.ID(), snapshot, 1_000_000); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(h.Start(within(t, soon), clusters.Change{}), h.Ready(within(t, soon))); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		shard, key string
		n          int
	}{{"events", "/registry/events/default/kept", 1}, {"events", "/registry/events/default/lost", 0}, {"main", "/registry/configmaps/default/beside", 1}} {
		if n := len(keys(t, c, want.shard, want.key)); n != want.n {
			t.Errorf("the shard %s has %s %d times, want %d", want.shard, want.key, n, want.n)
		}
	}
	if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
		t.Error(err)
	}
}
