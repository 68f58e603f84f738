//go:build cluster

package measure

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/clusters/local"
	"github.com/storm-harness/storm/clusters/supervise"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/rundir"
)

func TestMain(m *testing.M) {
	supervise.RunIfAsked()
	os.Exit(m.Run())
}

// controlPlane starts one etcd and one apiserver.
func controlPlane(t *testing.T) *local.Cluster {
	t.Helper()
	store, err := components.Open(components.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Create(fmt.Sprintf("test-%d-%d", os.Getpid(), time.Now().UnixNano()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Finish(); err != nil {
			t.Error(err)
		}
	})
	none := 0
	c, err := local.Up(t.Context(), local.Options{
		Spec: clusters.Spec{Kubernetes: clusters.Kubernetes{
			ControllerManager: clusters.Deployment{Replicas: &none}, Scheduler: clusters.Deployment{Replicas: &none},
		}},
		Dir: filepath.Join(t.TempDir(), "cluster"), LogDir: t.TempDir(), Store: store, Ledger: l,
		Sink: func(e clusters.Event) { t.Log(e.Component, e.Text) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestAControlPlane is one test with several parts, since the cluster is the
// dear part of it.
func TestAControlPlane(t *testing.T) {
	c := controlPlane(t)
	access := c.Access()
	server := clusters.OfKind(c, clusters.KindAPIServer, "")[0]
	member := clusters.OfKind(c, clusters.KindEtcd, "")[0]
	api := APITarget{Component: server.ID().String(), REST: access.REST}
	direct := EtcdTarget{Component: member.ID().String(), Shard: "main", Endpoint: member.Endpoints().Client, TLS: access.EtcdTLS}
	client, err := kubernetes.NewForConfig(access.REST)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"probe", "witness", "listed", "restored"} {
		if _, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	clock := NewClock()
	rec := NewRecorder(clock, func(rundir.Window) {})
	defer rec.Close()

	t.Run("its clients are not throttled", func(t *testing.T) {
		if err := CheckUnthrottled(access.REST); err != nil {
			t.Error(err)
		}
	})
	t.Run("scrapes", func(t *testing.T) { scrapeAPI(t, access, server) })
	t.Run("recovery of a killed apiserver", func(t *testing.T) { recoverAPI(t, clock, rec, api, direct, server) })
	t.Run("audit", func(t *testing.T) { auditAPI(t, clock, rec, api, direct) })
	t.Run("audit where etcd is not shown", func(t *testing.T) { auditListed(t, clock, rec, api, direct) })
	t.Run("audit after a restore", func(t *testing.T) { auditRestore(t, clock, rec, api, direct, c, member) })
}

func scrapeAPI(t *testing.T, access clusters.Access, server clusters.Component) {
	secure, err := rest.TLSConfigFor(access.REST)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got rundir.Scrape
	s := NewScraper(NewClock(), func(one rundir.Scrape) { got = one; cancel() }, time.Second,
		[]ScrapeTarget{{Component: "kube-apiserver-0", URL: server.Endpoints().Metrics, TLS: secure}})
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if got.Err != "" {
		t.Fatal(got.Err)
	}
	for _, prefix := range []string{
		"apiserver_request_total{", "apiserver_request_sli_duration_seconds_bucket{le=\"1\",", "apiserver_current_inflight_requests{",
		"apiserver_longrunning_requests{", "etcd_request_duration_seconds_count{", "apiserver_storage_size_bytes{", "process_resident_memory_bytes",
		"apiserver_flowcontrol_current_limit_seats{", "apiserver_watch_cache_initializations_total", "apiserver_resource_objects{",
	} {
		found := false
		for name := range got.Samples {
			found = found || strings.HasPrefix(name, prefix)
		}
		if !found {
			t.Errorf("no sample of %s", prefix)
		}
	}
	t.Logf("%d samples", len(got.Samples))
}

func recoverAPI(t *testing.T, clock *Clock, rec *Recorder, api APITarget, direct EtcdTarget, server clusters.Component) {
	// What etcd did not answer in time while an apiserver started beside it is
	// the machine's affair; any other failure of it is none that this may cause.
	var hurt atomic.Int64
	p, err := NewProbes(ProbeOptions{
		Clock: clock, Recorder: rec, RunID: "t", Etcd: []EtcdTarget{direct}, API: []APITarget{api}, Namespace: "probe",
		Sink: func(p rundir.Probe) {
			if p.Layer == LayerEtcd && p.Err != "" && p.Err != CodeTimeout {
				hurt.Add(1)
				t.Logf("%s %s: %s", p.Target, p.Op, p.Err)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	p.Near(true)
	if err := p.Recovered(ctx, Disturbance{}); err != nil {
		t.Fatal(err)
	}

	component := server.(clusters.Restarter)
	d := Disturbance{Intended: clock.Now()}
	if err := component.Stop(ctx, 0); err != nil {
		t.Fatal(err)
	}
	d.Injected = clock.Now()
	restarted := clock.Now()
	if err := component.Start(ctx, clusters.Change{}); err != nil {
		t.Fatal(err)
	}
	// The independent observer asks on a new connection each time.
	var observed int64
	for observed == 0 && ctx.Err() == nil {
		c, err := dialAPI(api, "observer")
		if err != nil {
			t.Fatal(err)
		}
		once, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
		if _, err := c.create(once, "probe", fmt.Sprintf("observer-%d", clock.Now()), "x"); err == nil {
			observed = clock.Now()
		}
		cancel()
		c.close()
		time.Sleep(5 * time.Millisecond)
	}
	if err := p.Recovered(ctx, d); err != nil {
		t.Fatal(err)
	}
	known := clock.Now()
	for _, r := range p.Recovery(d) {
		back := d.Intended + r.RTO
		t.Logf("%s %s: RTO %v, the observer's write %v, longest gap %v, %d of %d failed", r.Target, r.Op, time.Duration(r.RTO),
			time.Duration(observed-d.Intended), time.Duration(r.Longest), r.Failed, r.Probes)
		switch {
		case r.Censored || !r.Worst:
			t.Errorf("%+v", r)
		case r.Layer == LayerEtcd:
		case back < restarted || back > known || r.Failed == 0:
			t.Errorf("%s: back at %v, started again at %v, known to be back at %v, %d failed", r.Op, back, restarted, known, r.Failed)
		case r.Op == OpWrite && max(back-observed, observed-back) > max(int64(time.Second), r.RTO/4):
			t.Errorf("writes recovered at %v, and the observer saw it at %v", time.Duration(back), time.Duration(observed))
		}
	}
	if n := hurt.Load(); n > 0 {
		t.Errorf("etcd was left alone, and %d probes of it failed", n)
	}
}

// runJournal writes until n writes were acknowledged on each path.
func runJournal(t *testing.T, j *Journal, each func() int, n int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = j.Run(ctx) })
	until(t, "enough acknowledged writes", func() bool { return each() >= n })
	cancel()
	wg.Wait()
}

// journalOf makes a journal and a count of the acknowledged writes of the path
// that has fewest.
func journalOf(t *testing.T, clock *Clock, rec *Recorder, api APITarget, direct EtcdTarget, namespace string) (*Journal, func() int) {
	t.Helper()
	var mu sync.Mutex
	acked := map[string]int{}
	j, err := NewJournal(JournalOptions{
		Clock: clock, Recorder: rec, RunID: namespace, Etcd: []EtcdTarget{direct}, API: []APITarget{api}, Namespace: namespace, Rate: 100,
		Sink: func(w rundir.Write) {
			mu.Lock()
			defer mu.Unlock()
			if w.Err == "" {
				acked[w.Via]++
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j, func() int { mu.Lock(); defer mu.Unlock(); return min(acked[LayerEtcd], acked[LayerAPI]) }
}

func auditAPI(t *testing.T, clock *Clock, rec *Recorder, api APITarget, direct EtcdTarget) {
	j, acked := journalOf(t, clock, rec, api, direct, "witness")
	runJournal(t, j, acked, 50)
	whole, err := j.Audit(t.Context(), "nothing", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range whole {
		if a.Acked < 50 || a.Found != a.Acked || a.Disagree != 0 || a.Unknown != 0 {
			t.Errorf("%+v", a)
		}
	}
	c, err := dialEtcd(direct, NewClock())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	key := "/registry/configmaps/witness/witness-witness-0000000003"
	var resp pb.DeleteRangeResponse
	if err := c.calls.call(t.Context(), "/etcdserverpb.KV/DeleteRange", &pb.DeleteRangeRequest{Key: []byte(key)}, &resp); err != nil || resp.Deleted != 1 {
		t.Fatalf("delete %s: %v, %v", key, resp, err)
	}
	missing, err := j.Audit(t.Context(), "deletion", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range missing {
		want := 0
		if a.Via == LayerAPI {
			want = 1
		}
		if a.Lost != want || a.Found != a.Acked-want {
			t.Errorf("one ConfigMap was deleted from etcd: %+v", a)
		}
	}
}

// auditListed reads back through the apiserver alone, and writes nothing to etcd.
func auditListed(t *testing.T, clock *Clock, rec *Recorder, api APITarget, direct EtcdTarget) {
	var n atomic.Int64
	j, err := NewJournal(JournalOptions{
		Clock: clock, Recorder: rec, RunID: "listed", API: []APITarget{api}, Namespace: "listed", Rate: 100,
		Sink: func(w rundir.Write) {
			if w.Err == "" {
				n.Add(1)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	runJournal(t, j, func() int { return int(n.Load()) }, 50)
	whole, err := j.Audit(t.Context(), "nothing", nil)
	if err != nil || len(whole) != 1 || whole[0].Via != LayerAPI || whole[0].Acked < 50 || whole[0].Found != whole[0].Acked {
		t.Fatalf("%+v, %v", whole, err)
	}
	c, err := dialEtcd(direct, NewClock())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	var resp pb.DeleteRangeResponse
	key := "/registry/configmaps/listed/witness-listed-0000000003"
	if err := c.calls.call(t.Context(), "/etcdserverpb.KV/DeleteRange", &pb.DeleteRangeRequest{Key: []byte(key)}, &resp); err != nil || resp.Deleted != 1 {
		t.Fatalf("delete %s: %v, %v", key, resp, err)
	}
	missing, err := j.Audit(t.Context(), "deletion", nil)
	if err != nil || len(missing) != 1 || missing[0].Lost != 1 {
		t.Errorf("one ConfigMap was deleted: %+v, %v", missing, err)
	}
}

// auditRestore restores etcd the plain way, with the apiserver left running:
// its watch cache then knows of objects that etcd no longer has.
func auditRestore(t *testing.T, clock *Clock, rec *Recorder, api APITarget, direct EtcdTarget, c *local.Cluster, member clusters.Component) {
	j, acked := journalOf(t, clock, rec, api, direct, "restored")
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = j.Run(ctx) })
	defer wg.Wait()
	defer cancel()
	until(t, "writes before the snapshot", func() bool { return acked() >= 30 })
	e, err := etcd.Open(direct.Endpoint, direct.TLS)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	file := filepath.Join(t.TempDir(), "snapshot.db")
	if err := e.Save(ctx, file); err != nil {
		t.Fatal(err)
	}
	etcdutl, err := c.Etcdutl("main")
	if err != nil {
		t.Fatal(err)
	}
	summary, err := etcd.Verify(ctx, etcdutl, file)
	if err != nil {
		t.Fatal(err)
	}
	before := acked()
	until(t, "writes after the snapshot", func() bool { return acked() >= before+30 })

	stopped := member.(clusters.Restarter)
	if err := stopped.Stop(ctx, time.Minute); err != nil {
		t.Fatal(err)
	}
	restore := Restore{Shard: "main", Revision: summary.Revision, At: clock.Now()}
	if err := c.RestoreMember(ctx, member.ID(), file, 0); err != nil {
		t.Fatal(err)
	}
	if err := stopped.Start(ctx, clusters.Change{}); err != nil {
		t.Fatal(err)
	}
	if err := stopped.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	before = acked()
	until(t, "writes after the restore", func() bool { return acked() >= before+10 })
	cancel()
	wg.Wait()

	got, err := j.Audit(t.Context(), "restore", []Restore{restore})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range got {
		t.Logf("%+v", a)
		if a.Lost != 0 || a.Mismatch != 0 || a.Restored < 30 || a.Found < 40 {
			t.Errorf("%+v", a)
		}
		if a.Via == LayerAPI && a.Disagree == 0 {
			t.Error("the apiserver's cache kept what the restore took back, and the audit did not see it")
		}
	}
	// Without being told of the restore, the account calls them lost.
	blind, err := j.Audit(t.Context(), "restore", nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range blind {
		if a.Lost != got[i].Restored {
			t.Errorf("%+v", a)
		}
	}
}
