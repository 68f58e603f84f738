//go:build cluster

package local

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/network"
	"github.com/storm-harness/storm/clusters/pki"
)

// TestControllersElectAndExitsAreSeen runs two of everything, without
// namespaces.
func TestControllersElectAndExitsAreSeen(t *testing.T) {
	two := clusters.Deployment{Replicas: replicas(2)}
	spec := clusters.Spec{
		Network:    "loopback",
		Kubernetes: clusters.Kubernetes{APIServer: two, ControllerManager: two, Scheduler: two},
		Etcd:       clusters.Etcd{Members: 2},
	}
	type exit struct {
		id  clusters.ID
		how string
	}
	exits := make(chan exit, 10)
	o := options(t, spec)
	o.Exited = func(id clusters.ID, how string) { exits <- exit{id, how} }
	c := up(t, o)

	for kind, name := range map[clusters.Kind]string{clusters.KindControllerManager: "kube-controller-manager", clusters.KindScheduler: "kube-scheduler"} {
		leading := 0.0
		for _, comp := range clusters.OfKind(c, kind, "") {
			value, said := gauge(t, c, comp, "leader_election_master_status", name)
			for !said { // it says so after its first look at the Lease
				value, said = gauge(t, c, comp, "leader_election_master_status", name)
			}
			leading += value
		}
		if leading != 1 {
			t.Errorf("%v instances of %s say that they lead", leading, name)
		}
	}
	slices, err := client(t, c).DiscoveryV1().EndpointSlices("default").Get(t.Context(), "kubernetes", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range slices.Endpoints {
		if strings.HasPrefix(e.Addresses[0], "127.") {
			t.Errorf("an apiserver advertises %v", e.Addresses)
		}
	}
	balanced(t, c)

	victim := clusters.OfKind(c, clusters.KindAPIServer, "")[1]
	pid := victim.State().PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil { // not by storm's hand
		t.Fatal(err)
	}
	got := <-exits
	if got.id != victim.ID() || got.how != "signal: killed" {
		t.Errorf("told of %+v", got)
	}
	if st := victim.State(); st.Running || st.Asked || st.Exit != "signal: killed" {
		t.Errorf("its state: %+v", st)
	}
	asked := clusters.OfKind(c, clusters.KindScheduler, "")[0]
	if err := asked.(clusters.Signaler).Signal(t.Context(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	handle := victim.(clusters.Restarter)
	if err := handle.Start(t.Context(), clusters.Change{}); err != nil {
		t.Fatal(err)
	}
	if err := handle.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := asked.State(); st.Running || !st.Asked {
		t.Errorf("the scheduler's state: %+v", st)
	}
	for len(exits) > 0 { // a controller may end by itself for want of its apiserver
		if e := <-exits; e.id == asked.ID() {
			t.Errorf("told of %+v, which was asked for", e)
		}
	}
}

// balanced wants connections to both API servers, and answers from both.
func balanced(t *testing.T, c *Cluster) {
	t.Helper()
	met := map[string]bool{}
	for turn := range uint64(2) {
		config := clusters.Balanced(c, turn)
		dial := config.Dial
		if dial == nil {
			t.Fatal("connections go to one server alone")
		}
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
		if _, err := kube.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if len(met) != 2 {
		t.Errorf("two loads met the API servers %v", met)
	}
}

// gauge reads a metric of a component, as a scrape does; it may not be there yet.
func gauge(t *testing.T, c *Cluster, comp clusters.Component, metric, name string) (value float64, found bool) {
	t.Helper()
	secure, err := c.pki.ClientTLS(pki.AdminPair, pki.ClusterCA)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: secure}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(comp.Endpoints().Metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("metrics of %s: %s", comp.ID(), resp.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[metric].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "name" && l.GetValue() == name {
				return m.GetGauge().GetValue(), true
			}
		}
	}
	return 0, false
}

func TestAComponentThatDiesShowsItsLog(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*clusters.Spec)
		want   []string
	}{
		"etcd": {
			func(s *clusters.Spec) { s.Etcd.Flags = map[string]string{"no-such-flag": "1"} },
			[]string{"etcd-main-0 ended before it was ready (exit status ", "etcd-main-0.log", "no-such-flag"},
		},
		"kube-apiserver": {
			func(s *clusters.Spec) {
				s.Kubernetes.APIServer.Flags = map[string]string{"service-cluster-ip-range": "nonsense"}
			},
			[]string{"kube-apiserver-0 ended before it was ready (exit status 1)", "kube-apiserver-0.log", "not a valid cidr"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec := clusters.Spec{}
			c.change(&spec)
			o := options(t, spec)
			_, err := Up(t.Context(), o)
			if err == nil {
				t.Fatal("it came up")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is missing in: %v", want, err)
				}
			}
			if lines := strings.Count(err.Error(), "\n"); lines > 3+15+2 {
				t.Errorf("the error has %d lines:\n%v", lines, err)
			}
			if _, err := os.Stat(o.Dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the cluster's directory is still there: %v", err)
			}
		})
	}
}

func TestTwoClustersAtOnceKeepApart(t *testing.T) {
	specs := []clusters.Spec{{Network: "loopback"}, {Network: "loopback", Etcd: clusters.Etcd{Members: 2}}}
	found := make([]*Cluster, len(specs))
	var wg sync.WaitGroup
	for i, spec := range specs {
		o := options(t, spec)
		wg.Go(func() {
			c, err := Up(context.WithoutCancel(t.Context()), o)
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() {
				if err := c.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
			found[i] = c
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	// Their addresses stay theirs for as long as they live: whoever comes now
	// gets others.
	claim, err := network.ClaimSlot()
	if err != nil {
		t.Fatal(err)
	}
	if err := claim.Release(); err != nil {
		t.Error(err)
	}
	if a, b := found[0].slot.N, found[1].slot.N; a == b || claim.N == a || claim.N == b {
		t.Errorf("slots %d and %d are in use, and a third cluster gets %d", a, b, claim.N)
	}
	put(t, found[0], "first")
	put(t, found[1], "second")
	for i, c := range found {
		got := keys(t, c, "main", 0, "/registry/configmaps/default/")
		if len(got) != 2 || !strings.HasSuffix(got[0], []string{"first", "kube-root-ca.crt"}[i]) {
			t.Errorf("cluster %d holds %v", i, got)
		}
	}
}
