//go:build cluster

package workloads

import (
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/etcd"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/fleet"
)

// The loads that keep controllers at work, and what the servers say of them.
func TestControllerLoadsAreWhatTheServersSee(t *testing.T) {
	r := bringUp(t)
	t.Run("rogueDaemonSet", r.testRogue)
	t.Run("jobs", r.testJobs)
	t.Run("namespaces", r.testNamespaces)
	t.Run("stages", r.testStages)
	t.Run("etcdDirect", r.testEtcd)
}

// The clients list as their own service account, which priority and fairness
// takes for what it is; an answer holds every pod.
func (r *real) testRogue(t *testing.T) {
	const pods, size = 10, 10_000
	for i := range pods {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("listed-%d", i), Namespace: "default", Annotations: map[string]string{"text": noise(size)}},
			Spec: corev1.PodSpec{
				Containers:    []corev1.Container{{Name: "main", Image: "registry.k8s.io/pause:3.10"}},
				SchedulerName: "nobody",
			},
		}
		eventually(t, "a pod", func() bool {
			_, err := r.kube.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{})
			return err == nil
		})
	}
	for name, change := range map[string]func(*RogueDaemonSet){
		"rogue":      func(*RogueDaemonSet) {},
		"rogue-rv0":  func(d *RogueDaemonSet) { d.ResourceVersion, d.Jitter = "0", .1 },
		"rogue-json": func(d *RogueDaemonSet) { d.Content, d.Connections = "json", "own" },
		"rogue-rate": func(d *RogueDaemonSet) { d.Period, d.Rate, d.Arrivals = 0, schedule("0/s..20/s over 2s"), "poisson" },
	} {
		flow := map[string]string{"flow_schema": "service-accounts"}
		before := r.metric(t, "apiserver_flowcontrol_dispatched_requests_total", flow)
		w := of(func(d *RogueDaemonSet) {
			d.Count, d.Period = 10, unit.Duration(500*time.Millisecond)
			change(d)
		}).(*RogueDaemonSet)
		sockets := openSockets(t)
		l := r.put(t, name, w)
		eventually(t, "forty lists", func() bool { return l.soFar("list", "pods", w.detail()).OK >= 40 })
		if own := openSockets(t) - sockets; (own >= w.Count) != (w.Connections == "own") {
			t.Errorf("%s: %d connections", name, own)
		}
		l.end()
		if f := l.failures(); len(f) > 0 {
			t.Errorf("%s: failures: %v", name, f)
		}
		got := l.soFar("list", "pods", w.detail())
		served := 0
		for _, a := range r.requests(t, name, func(a audited) bool {
			return a.Verb == "list" && a.Object.Resource == "pods" && a.Response.Code == 200 && a.Stage == "ResponseComplete"
		}) {
			if a.URI == "/api/v1/pods?limit=1" {
				continue // that of Prepare
			}
			served++
			ns := "storm-" + name
			if a.Impersonated.Username != "system:serviceaccount:"+ns+":rogue" ||
				fmt.Sprint(a.Impersonated.Groups) != "[system:serviceaccounts system:serviceaccounts:"+ns+" system:authenticated]" {
				t.Fatalf("a list was made by %+v", a.Impersonated)
			}
		}
		l.agrees("lists", served, got.OK)
		if flowed := r.metric(t, "apiserver_flowcontrol_dispatched_requests_total", flow) - before; flowed < float64(got.OK) {
			t.Errorf("%s: the flow of service accounts had %.0f requests, storm made %d", name, flowed, got.OK)
		}
		// The text is noise of 4 bits a byte: gzip cannot make it half as long.
		if each := int(got.Bytes / got.OK); each < pods*size/2 {
			t.Errorf("%s: %d bytes a list", name, each)
		}
	}
}

// noise is a text of hexadecimal digits that does not compress below half.
func noise(size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = "0123456789abcdef"[rand.IntN(16)]
	}
	return string(b)
}

// seen returns what a load's watch saw of objects going from one state to another.
func (l *load) seen(verb, resource, detail string) rundir.Window {
	l.rec.Cut()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.windows[rundir.Key{Workload: l.env.Name, Verb: verb, Resource: resource, Scope: "resource", Via: fleet.ViaWatch, Detail: detail}]
}

// Every Job that was created comes to its end on the simulated nodes, is seen
// to, and is deleted by the TTL controller.
func (r *real) testJobs(t *testing.T) {
	nodes := r.put(t, "fleet", of(func(n *Nodes) {
		n.Count, n.Pods.Start, n.Pods.Work = 10, unit.OneDuration(100*time.Millisecond), unit.OneDuration(200*time.Millisecond)
	}))
	const count = 20
	l := r.put(t, "batch", of(func(j *Jobs) {
		j.Rate, j.Completions, j.Parallelism, j.TTL = schedule("5/s for 4s, 0/s"), 3, 2, unit.Duration(time.Second)
	}))
	complete := func() rundir.Window { return l.seen("complete", "jobs.batch", "created-complete") }
	eventually(t, "every Job complete", func() bool { return complete().OK >= count })
	by := func(verb, user string) int {
		return len(r.logged(t, func(a audited) bool {
			return a.Verb == verb && a.Object.Resource == "jobs" && a.Object.Namespace == "storm-batch" && a.Object.Subresource == "" &&
				a.Stage == "ResponseComplete" && a.Response.Code < 300 && strings.HasPrefix(a.User.Username, user)
		}))
	}
	eventually(t, "every Job deleted by the controller, with its pods", func() bool {
		pods, err := r.kube.CoreV1().Pods("storm-batch").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		jobs, err := r.kube.BatchV1().Jobs("storm-batch").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return len(pods.Items) == 0 && len(jobs.Items) == 0 && by("delete", "system:serviceaccount:kube-system:ttl-after-finished-controller") == count
	})
	l.end()
	nodes.end()
	if f := l.failures(); len(f) > 0 {
		t.Errorf("failures: %v", f)
	}
	created := len(r.requests(t, "batch", func(a audited) bool {
		return a.Verb == "create" && a.Object.Resource == "jobs" && a.Response.Code == 201
	}))
	l.agrees("Jobs", created, l.soFar("create", "jobs.batch", "").OK)
	if created != count || complete().OK != count {
		t.Errorf("%d Jobs created and %d seen complete, want %d", created, complete().OK, count)
	}
	// Each had two rounds of pods, each of them 300 ms on its node.
	if h, err := rundir.DecodeHist(complete().Hist); err != nil || h.Min() < 600_000 {
		t.Errorf("a Job took %d µs (%v)", h.Min(), err)
	}
	bound := len(r.logged(t, func(a audited) bool {
		return a.Verb == "create" && a.Object.Subresource == "binding" && a.Object.Namespace == "storm-batch" && a.Response.Code == 201
	}))
	if bound != 3*count {
		t.Errorf("%d pods were bound, want %d", bound, 3*count)
	}
}

// Namespaces are made with what is in them, deleted, and seen to go.
func (r *real) testNamespaces(t *testing.T) {
	const count = 12
	l := r.put(t, "tenants", of(func(n *NamespaceChurn) {
		n.Rate, n.Life, n.ConfigMaps, n.Secrets = schedule("4/s for 3s, 0/s"), unit.OneDuration(time.Second), 2, 1
	}))
	gone := func() rundir.Window { return l.seen("finalize", "namespaces", "deleted-gone") }
	eventually(t, "every namespace gone", func() bool { return gone().OK >= count })
	l.end()
	if f := l.failures(); len(f) > 0 {
		t.Errorf("failures: %v", f)
	}
	left, err := r.kube.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{LabelSelector: loadLabel + "=storm-tenants"})
	if err != nil {
		t.Fatal(err)
	}
	if len(left.Items) != 0 || gone().OK != count {
		t.Errorf("%d namespaces are left, %d were seen to go, want %d", len(left.Items), gone().OK, count)
	}
	for _, c := range []struct {
		verb, resource string
		code, want     int
	}{{"create", "namespaces", 201, count}, {"create", "configmaps", 201, 2 * count}, {"create", "secrets", 201, count}, {"delete", "namespaces", 200, count}} {
		served := len(r.requests(t, "tenants", func(a audited) bool {
			return a.Verb == c.verb && a.Object.Resource == c.resource && a.Response.Code == c.code
		}))
		l.agrees(c.verb+" "+c.resource, served, l.soFar(c.verb, c.resource, "").OK)
		if served != c.want {
			t.Errorf("%s %s: the server did %d, want %d", c.verb, c.resource, served, c.want)
		}
	}
	finalized := map[string]bool{}
	for _, a := range r.logged(t, func(a audited) bool {
		return a.Object.Resource == "namespaces" && a.Object.Subresource == "finalize" && strings.HasSuffix(a.User.Username, ":namespace-controller")
	}) {
		finalized[a.Object.Name] = strings.HasPrefix(a.Object.Name, "storm-tenants-")
	}
	if len(finalized) != count {
		t.Errorf("the namespace controller finalized %d namespaces, want %d", len(finalized), count)
	}
}

// A cluster is filled stage by stage; what storm saw of it is what is there.
func (r *real) testStages(t *testing.T) {
	change := func(s *Stages) {
		s.Stages, s.Scale, s.Replicas, s.Workers, s.Pending, s.Hold = []Stage{{2_000}, {6_000}, {9_500}}, .01, 1_500, 300, 2_000, 0
	}
	// The nodes of the load are the only ones that there is room on.
	too := of(func(s *Stages) { change(s); s.Stages, s.Scale = append(s.Stages, Stage{1_000_000}), 1 })
	env := &Env{
		Name: "much", Access: r.Access(), Admin: rest.CopyConfig(r.Access().REST), Recorder: measure.NewRecorder(measure.NewClock(), func(rundir.Window) {}),
		Clock: measure.NewClock(), RunID: "test", Log: slog.New(slog.DiscardHandler),
	}
	defer env.Recorder.Close()
	if err := Identify(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	err := too.Prepare(t.Context(), env)
	too.(Releaser).Release()
	if err == nil || !strings.Contains(err.Error(), "the last stage is 1,000,000 pods") {
		t.Errorf("more than fits: %v", err)
	}

	nodes := r.put(t, "fleet", of(func(n *Nodes) { n.Count, n.Pods.Start = 10, unit.OneDuration(100*time.Millisecond) }))
	l := r.put(t, "fill", of(change))
	eventually(t, "the last stage", func() bool { return l.seen("stage", "pods", "to 95").OK == 1 })
	pods, err := r.kube.CoreV1().Pods("storm-fill").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	running := 0
	for _, p := range pods.Items {
		if p.Status.Phase == corev1.PodRunning && strings.HasPrefix(p.Spec.NodeName, "storm-fleet-") {
			running++
		}
	}
	deployments, err := r.kube.AppsV1().Deployments("storm-fill").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	replicas := map[int32]int{}
	for _, d := range deployments.Items {
		replicas[*d.Spec.Replicas]++
	}
	l.end()
	nodes.end()
	if f := l.failures(); len(f) > 0 {
		t.Errorf("failures: %v", f)
	}
	// To 20: 15 and 5; to 60: 15, 15 and 10; to 95: 15, 15 and 5.
	if running != 95 || len(pods.Items) != 95 || !maps.Equal(replicas, map[int32]int{15: 5, 10: 1, 5: 2}) {
		t.Errorf("%d pods, of which %d run on the load's nodes, in deployments of %v", len(pods.Items), running, replicas)
	}
	bound := len(r.logged(t, func(a audited) bool {
		return a.Verb == "create" && a.Object.Subresource == "binding" && a.Object.Namespace == "storm-fill" && a.Response.Code == 201
	}))
	counted, started := uint64(0), uint64(0)
	for name, want := range map[string]uint64{"to 20": 20, "to 60": 40, "to 95": 35} {
		b, s, st := l.seen("bind", "pods", name), l.seen("start", "pods", name), l.seen("stage", "pods", name)
		if b.OK != want || s.OK != want || st.OK != 1 {
			t.Errorf("%s: %d pods seen bound, %d running, want %d, in %d stages", name, b.OK, s.OK, want, st.OK)
		}
		counted, started = counted+b.OK, started+s.OK
	}
	if uint64(bound) != counted || started != counted {
		t.Errorf("the scheduler bound %d pods, storm saw %d bound and %d running", bound, counted, started)
	}
	created := l.soFar("create", "deployments.apps", "closed-loop")
	l.agrees("deployments", len(r.requests(t, "fill", func(a audited) bool {
		return a.Verb == "create" && a.Object.Resource == "deployments" && a.Response.Code == 201
	})), created.OK)
}

// ofEtcd returns what was recorded of requests to etcd.
func (l *load) ofEtcd(verb, detail string) rundir.Window {
	l.rec.Cut()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.windows[rundir.Key{Workload: l.env.Name, Verb: verb, Via: measure.LayerEtcd, Detail: detail}]
}

// What storm counted of its requests to etcd is what etcd holds: keys by the
// creations and deletions, versions by the updates, leases by the grants, and
// as many deliveries as there were writes.
func (r *real) testEtcd(t *testing.T) {
	member := clusters.OfKind(r, clusters.KindEtcd, "main")[0]
	direct, err := etcd.Open(member.Endpoints().Client, r.Access().EtcdTLS)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(direct.Close)
	all := func(load string) []*mvccpb.KeyValue {
		t.Helper()
		resp, err := direct.KV().Range(t.Context(), &pb.RangeRequest{Key: []byte(etcdPrefix(load)), RangeEnd: etcd.PrefixEnd(etcdPrefix(load))})
		if err != nil {
			t.Fatal(err)
		}
		return resp.Kvs
	}
	const keys, rate, slots, watches = 100, "200/s for 3s, 0/s", 600, 3
	l := r.put(t, "direct", of(func(e *EtcdDirect) {
		e.Rate, e.Keys, e.Limit, e.Watches, e.Size = schedule(rate), keys, 7, watches, unit.OneSize(500)
		e.Mix = EtcdMix{Create: .2, Update: .2, Delete: .2, Get: .1, List: .05, Event: .15, Put: .1}
	}))
	done := func() (n, writes uint64) {
		for op, name := range opNames {
			ok := l.ofEtcd(name.verb, name.detail).OK
			n += ok
			if operation(op) != opGet && operation(op) != opList {
				writes += ok
			}
		}
		return n, writes
	}
	eventually(t, "every request", func() bool { n, _ := done(); return n >= slots })
	delivered := func() uint64 { return l.seen("deliver", "keys", "sent-delivered").OK }
	held := all("direct")
	present, withLease, leases := 0, 0, map[int64]bool{}
	for _, kv := range held {
		if kv.Lease == 0 {
			present++
			continue
		}
		withLease++
		leases[kv.Lease] = true
	}
	// All that is there was put since the start, or is one of the first keys:
	// so every version counts one write that was to be delivered.
	eventually(t, "every key that is there delivered to every watch", func() bool {
		sum := uint64(0)
		for _, kv := range held {
			sum += uint64(kv.Version)
		}
		return delivered() >= watches*(sum-min(sum, keys/2))
	})
	l.end()
	if f := l.failures(); len(f) > 0 {
		t.Errorf("failures: %v", f)
	}
	// A request may have done its opposite for want of a key, so creations and
	// deletions are what the keyspace knows, and etcd must hold just that.
	space := l.workload.(*EtcdDirect).keys
	if present != len(space.present) || present+len(space.absent) != keys {
		t.Errorf("etcd holds %d keys, the load knows %d and %d that are gone", present, len(space.present), len(space.absent))
	}
	known := map[string]int64{}
	for _, k := range space.present {
		known[fmt.Sprintf("%skeys/%07d", etcdPrefix("direct"), k.index)] = k.revision
	}
	for _, kv := range held {
		if kv.Lease == 0 && known[string(kv.Key)] != kv.ModRevision {
			t.Errorf("etcd has %s at revision %d, the load at %d", kv.Key, kv.ModRevision, known[string(kv.Key)])
		}
		if len(kv.Value) != 500 {
			t.Errorf("%s has %d bytes", kv.Key, len(kv.Value))
		}
	}
	if events := l.ofEtcd("txn", "event").OK; withLease != int(events) || withLease == 0 || len(leases) != 1 || l.ofEtcd("grant", "").OK != 1 {
		t.Errorf("%d keys with %d leases, storm counted %d and %d", withLease, len(leases), events, l.ofEtcd("grant", "").OK)
	}
	for id := range leases {
		live, err := direct.Lease().LeaseTimeToLive(t.Context(), &pb.LeaseTimeToLiveRequest{ID: id, Keys: true})
		if err != nil || live.GrantedTTL != 3660 || len(live.Keys) != withLease {
			t.Errorf("the lease: %v, %d s for %d keys", err, live.GetGrantedTTL(), len(live.GetKeys()))
		}
	}
	if n, writes := done(); n != slots || delivered() > watches*writes || l.ofEtcd("watch", "").OK != watches {
		t.Errorf("%d requests, %d writes, %d deliveries to %d watches", n, writes, delivered(), l.ofEtcd("watch", "").OK)
	}
	if w := l.ofEtcd("range", "list"); w.OK == 0 || int(w.Bytes/w.OK) < 500*keys/10 {
		t.Errorf("%d lists of %d bytes", w.OK, w.Bytes)
	}

	// Updates alone: every one is a version of its key. Those that were changed
	// behind the load's back are conflicts, from which it learns and goes on.
	// There are as many keys as updates, so that there is always one for it.
	const updates = 200
	u := r.put(t, "updates", of(func(e *EtcdDirect) {
		e.Rate, e.Keys, e.Mix = schedule("0/s for 3s, 100/s for 2s, 0/s"), 2*updates, EtcdMix{Update: 1}
	}))
	for _, kv := range all("updates") {
		if _, err := direct.Put(t.Context(), string(kv.Key), "x"); err != nil {
			t.Fatal(err)
		}
	}
	update := func() rundir.Window { return u.ofEtcd("txn", "update") }
	eventually(t, "every update", func() bool { w := update(); return w.OK+w.Errors[codeConflict] >= updates })
	eventually(t, "the deliveries", func() bool { return u.seen("deliver", "keys", "sent-delivered").OK >= update().OK })
	u.end()
	versions := uint64(0)
	for _, kv := range all("updates") {
		versions += uint64(kv.Version) - 1
	}
	w, seen := update(), u.seen("deliver", "keys", "sent-delivered").OK
	if w.Errors[codeConflict] == 0 || w.OK == 0 || w.OK+w.Errors[codeConflict] != updates || versions != w.OK+updates || seen != w.OK {
		t.Errorf("%d updates and failures %v, etcd has %d beside the %d of the meddler, %d were delivered", w.OK, w.Errors, versions-updates, updates, seen)
	}
}
