//go:build cluster

package workloads

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/unit"
)

const nodeCount = 50

// The loads on one real control plane, and what that says of them by itself.
func TestLoadsAreWhatTheServerSees(t *testing.T) {
	r := bringUp(t)
	t.Run("fidelity", r.testFidelity)
	t.Run("nodes", r.testNodes)
	t.Run("statuses", r.testStatuses)
	t.Run("pods", r.testPods)
	t.Run("a pod's life", r.testAPodsLife)
	t.Run("references", r.testReferences)
	t.Run("events", r.testEvents)
	t.Run("lists", r.testLists)
	t.Run("outage", r.testOutage)
}

// openSockets counts this process's sockets.
func openSockets(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, fd := range fds {
		if target, err := os.Readlink(filepath.Join("/proc/self/fd", fd.Name())); err == nil && strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n
}

func (r *real) podWatches(t *testing.T) float64 {
	return r.metric(t, "apiserver_longrunning_requests", map[string]string{"verb": "WATCH", "resource": "pods", "scope": "cluster"})
}

// Every node has its Node, its Lease and its watch; it renews the lease, and
// asks for everything, as itself.
func (r *real) testNodes(t *testing.T) {
	sockets := openSockets(t)
	l := r.put(t, "fleet", of(func(n *Nodes) {
		n.Count, n.Heartbeat, n.StatusReport = nodeCount, unit.Duration(time.Second), unit.Duration(2*time.Second)
	}))
	// Controllers watch pods too, and open some of their watches late.
	watches := func() []audited {
		return r.requests(t, "fleet", func(a audited) bool {
			return a.Verb == "watch" && a.Object.Resource == "pods" && a.Stage == "ResponseStarted"
		})
	}
	eventually(t, "a pod watch of every node, and the observer's", func() bool { return len(watches()) == nodeCount+1 })
	own := map[string]bool{}
	for _, w := range watches() {
		if name, ok := strings.CutPrefix(w.Impersonated.Username, "system:node:"); ok && strings.Contains(w.URI, "fieldSelector=spec.nodeName%3D"+name) {
			own[name] = true
		}
	}
	if len(own) != nodeCount {
		t.Errorf("%d nodes watch their own pods, want %d", len(own), nodeCount)
	}
	eventually(t, "five renewals of every lease", func() bool {
		return l.soFar("update", "leases.coordination.k8s.io", "").OK >= 5*nodeCount
	})
	eventually(t, "all nodes ready and without taints", func() bool {
		nodes, err := r.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: RunLabel + "=test-fleet"})
		if err != nil {
			t.Fatal(err)
		}
		ready := 0
		for _, n := range nodes.Items {
			for _, c := range n.Status.Conditions {
				if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue && len(n.Spec.Taints) == 0 {
					ready++
				}
			}
		}
		return ready == nodeCount
	})
	leases, err := r.kube.CoordinationV1().Leases("kube-node-lease").List(t.Context(), metav1.ListOptions{LabelSelector: RunLabel + "=test-fleet"})
	if err != nil || len(leases.Items) != nodeCount {
		t.Fatalf("%d leases, want %d (%v)", len(leases.Items), nodeCount, err)
	}
	for _, lease := range leases.Items {
		if age := time.Since(lease.Spec.RenewTime.Time); age > 30*time.Second {
			t.Errorf("lease %s was renewed %s ago", lease.Name, age)
		}
	}
	during := r.podWatches(t)
	l.end()
	if f := l.failures(); len(f) > 0 {
		t.Errorf("failures: %v", f)
	}

	perNode := map[string]int{}
	for _, a := range r.requests(t, "fleet", func(a audited) bool {
		return a.Verb == "update" && a.Object.Resource == "leases" && a.Response.Code == 200
	}) {
		perNode[a.Object.Name]++
		if a.Impersonated.Username != "system:node:"+a.Object.Name || fmt.Sprint(a.Impersonated.Groups) != "[system:nodes system:authenticated]" {
			t.Fatalf("the lease %s was renewed by %+v", a.Object.Name, a.Impersonated)
		}
	}
	renewed := 0
	for _, n := range perNode {
		renewed += n
	}
	l.agrees("renewals", renewed, l.soFar("update", "leases.coordination.k8s.io", "").OK)
	if len(perNode) != nodeCount {
		t.Errorf("%d nodes renewed their leases, want %d", len(perNode), nodeCount)
	}
	statuses := len(r.requests(t, "fleet", func(a audited) bool {
		return a.Verb == "patch" && a.Object.Resource == "nodes" && a.Object.Subresource == "status" && a.Response.Code == 200
	}))
	l.agrees("statuses", statuses, l.soFar("patch", "nodes/status", "").OK)
	// What the end of the load cut off, the server logs as failed too.
	// So is a new kubelet's first look for its lease, which is not there.
	asked := func(a audited) bool {
		return a.Verb == "get" && a.Object.Resource == "leases" && a.Response.Code == 404 && a.Stage == "ResponseComplete"
	}
	if n := len(r.requests(t, "fleet", asked)); n != nodeCount {
		t.Errorf("%d times a lease was asked for that was not there, want once a node: %d", n, nodeCount)
	}
	refused := r.requests(t, "fleet", func(a audited) bool {
		return a.Response.Code >= 400 && a.Stage == "ResponseComplete" && !asked(a)
	})
	if len(refused) > int(l.cut.Load()) {
		t.Errorf("%d requests were refused and %d cut off, the first: %+v", len(refused), l.cut.Load(), refused[0])
	}
	eventually(t, "all watches and connections closed", func() bool {
		return r.podWatches(t) <= during-(nodeCount+1) && openSockets(t) <= sockets
	})
}

// agrees holds what storm counted against what the server did. The server may
// have done those too that the end of the load cut off.
func (l *load) agrees(what string, server int, counted uint64) {
	l.t.Helper()
	if counted == 0 || server < int(counted) || server > int(counted+l.cut.Load()) {
		l.t.Errorf("%s: storm counted %d and %d were cut off, the server did %d", what, counted, l.cut.Load(), server)
	}
}

// A status that changes is patched at the next look, one that does not is not:
// the server counts the patches, and its Nodes hold what they brought.
func (r *real) testStatuses(t *testing.T) {
	const count = 10
	changing := func(name, every string) *load {
		return r.put(t, name, of(func(n *Nodes) {
			n.Count, n.Watches, n.PodLatency = count, []string{"node"}, false
			n.StatusCheck = unit.Duration(time.Second)
			if err := n.StatusChange.UnmarshalText([]byte(every)); err != nil {
				t.Fatal(err)
			}
		}))
	}
	patches := func(name string) map[string]int {
		of := map[string]int{}
		for _, a := range r.requests(t, name, func(a audited) bool {
			return a.Verb == "patch" && a.Object.Resource == "nodes" && a.Object.Subresource == "status" && a.Response.Code == 200
		}) {
			of[a.Object.Name]++
		}
		return of
	}
	before := r.metric(t, "apiserver_request_total", map[string]string{"verb": "PATCH", "resource": "nodes", "subresource": "status", "code": "200"})
	idle, busy := changing("idle", "0s"), changing("busy", "exponential 2s")
	eventually(t, "several changes of every node", func() bool {
		all := patches("busy")
		for _, n := range all {
			if n < 5 { // one as it starts
				return false
			}
		}
		return len(all) == count
	})
	nodes, err := r.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]*load{"idle": idle, "busy": busy} {
		l.end()
		r.removeNodes(t, name)
		if f := l.failures(); len(f) > 0 {
			t.Errorf("failures: %v", f)
		}
	}
	done := 0
	for _, n := range patches("busy") {
		done += n
	}
	busy.agrees("changes", done, busy.soFar("patch", "nodes/status", "").OK)
	quiet := 0
	for _, n := range patches("idle") {
		quiet += n
	}
	// Each node reports as it starts, and once within five minutes by itself; the test takes less.
	if quiet < count || quiet > 2*count || 2*quiet > done {
		t.Errorf("%d patches of nodes whose status does not change, %d of those whose does", quiet, done)
	}
	if total := r.metric(t, "apiserver_request_total", map[string]string{"verb": "PATCH", "resource": "nodes", "subresource": "status", "code": "200"}) - before; int(total) < done+quiet {
		t.Errorf("apiserver_request_total has %v patches of nodes' statuses, its audit log %d", total, done+quiet)
	}
	images := map[string]string{}
	for _, n := range nodes.Items {
		var held []string
		for _, i := range n.Status.Images {
			held = append(held, i.Names...)
		}
		images[n.Name] = strings.Join(held, " ")
	}
	const original = "service-0:v1.2.3"
	for name, held := range images {
		changed := !strings.Contains(held, original+" ")
		if changed != strings.HasPrefix(name, objectName("busy")+"-") && strings.HasPrefix(name, "storm-") {
			t.Errorf("%s has changed its images: %v", name, changed)
		}
	}
}

// Deployments keep the controllers and the scheduler at work, and their pods
// run and end on the simulated nodes.
func (r *real) testPods(t *testing.T) {
	nodes := r.put(t, "fleet", of(func(n *Nodes) {
		n.Count, n.Pods.Start, n.Pods.Stop = nodeCount, unit.OneDuration(100*time.Millisecond), unit.OneDuration(100*time.Millisecond)
	}))
	asks := [][3]string{{"patch", "pods", "status"}, {"create", "serviceaccounts", "token"}}
	counted, logged := r.countedAndLogged(t, asks)
	deploys := r.put(t, "deploys", of(func(d *Deployments) { d.Count, d.Replicas, d.Churn, d.Token = 4, 5, unit.Steady(4), true }))
	eventually(t, "every kind of change", func() bool {
		return deploys.soFar("patch", "deployments.apps", "scale").OK > 0 && deploys.soFar("patch", "deployments.apps", "roll").OK > 0 &&
			deploys.soFar("delete", "deployments.apps", "").OK > 0 && deploys.soFar("create", "deployments.apps", "").OK > 0
	})
	eventually(t, "pods taken through their whole life", func() bool {
		return nodes.soFar("patch", "pods/status", "").OK >= 20 && nodes.soFar("delete", "pods", "").OK >= 5
	})
	deploys.end()
	eventually(t, "all deployments whole, all pods running, none deleted left", func() bool {
		ds, err := r.kube.AppsV1().Deployments("storm-deploys").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		pods, err := r.kube.CoreV1().Pods("storm-deploys").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wanted := 0
		for _, d := range ds.Items {
			if d.Status.AvailableReplicas != *d.Spec.Replicas || d.Status.UpdatedReplicas != *d.Spec.Replicas || d.Status.Replicas != *d.Spec.Replicas {
				return false
			}
			wanted += int(*d.Spec.Replicas)
		}
		for _, p := range pods.Items {
			if p.Status.Phase != corev1.PodRunning || p.DeletionTimestamp != nil || p.Status.PodIP == "" {
				return false
			}
		}
		return len(ds.Items) == 4 && len(pods.Items) == wanted
	})
	nodes.end()
	nodes.failedOnlyEarly(t)
	if f := deploys.failures(); len(f) > 0 {
		t.Errorf("failures: %v", f)
	}
	// What a kubelet asks for its pods, as the server logged it of the nodes' own users.
	asked := func(verb, resource, sub string, code int) int {
		return len(r.requests(t, "fleet", func(a audited) bool {
			return a.Verb == verb && a.Object.Resource == resource && a.Object.Subresource == sub && a.Stage == "ResponseComplete" &&
				strings.HasPrefix(a.Impersonated.Username, "system:node:") &&
				(a.Response.Code == code || resource == "pods" && a.Response.Code == http.StatusNotFound) // gone, which is no failure
		}))
	}
	for _, c := range []struct {
		verb, resource, sub string
		code                int
	}{
		{"get", "pods", "", 200}, {"patch", "pods", "status", 200}, {"delete", "pods", "", 200}, {"create", "events", "", 201}, {"create", "serviceaccounts", "token", 201},
	} {
		what := strings.TrimSuffix(c.resource+"/"+c.sub, "/")
		nodes.agrees(c.verb+" "+what, asked(c.verb, c.resource, c.sub, c.code), nodes.soFar(c.verb, what, "").OK)
	}
	// The server's own metric, which does not look at who asks, says what its log says.
	countedNow, loggedNow := r.countedAndLogged(t, asks)
	for i, ask := range asks {
		if got, want := countedNow[i]-counted[i], float64(loggedNow[i]-logged[i]); got != want || got == 0 {
			t.Errorf("the server counts %.0f of %v, and has logged %.0f", got, ask, want)
		}
	}
	// Every status is of a pod that was read before.
	if reads, patches := asked("get", "pods", "", 200), asked("patch", "pods", "status", 200); reads < patches {
		t.Errorf("%d reads of pods, and %d patches of their statuses", reads, patches)
	}
	if w := nodes.startOf("created-running"); w.OK == 0 || w.Hist == "" {
		t.Errorf("no pod start was observed: %+v", w)
	}
}

// countedAndLogged is how many requests of each verb, resource and subresource that
// succeeded the server counts, and how many its audit log has, at one and the same time:
// none was counted while the log was read.
func (r *real) countedAndLogged(t *testing.T, asks [][3]string) (counted []float64, logged []int) {
	t.Helper()
	counted, logged = make([]float64, len(asks)), make([]int, len(asks))
	for i, ask := range asks {
		verb, code := map[string]string{"create": "POST", "patch": "PATCH"}[ask[0]], map[string]int{"create": 201, "patch": 200}[ask[0]]
		metric := func() float64 {
			return r.metric(t, "apiserver_request_total", map[string]string{"verb": verb, "resource": ask[1], "subresource": ask[2], "code": strconv.Itoa(code)})
		}
		eventually(t, "a moment without "+strings.Join(ask[:], " "), func() bool {
			counted[i] = metric()
			logged[i] = len(r.logged(t, func(a audited) bool {
				return a.Verb == ask[0] && a.Object.Resource == ask[1] && a.Object.Subresource == ask[2] && a.Response.Code == code && a.Stage == "ResponseComplete"
			}))
			return metric() == counted[i]
		})
	}
	return counted, logged
}

// testEvents holds the events that were made against those acknowledged.
func (r *real) testEvents(t *testing.T) {
	l := r.put(t, "churn", of(func(e *EventChurn) { e.Rate, e.Namespaces, e.Series = unit.Steady(200), 3, .3 }))
	eventually(t, "events made and patched", func() bool {
		return l.soFar("create", "events", "").OK >= 300 && l.soFar("patch", "events", "").OK >= 100
	})
	l.end()
	if f := l.failures(); len(f) > 0 {
		t.Errorf("failures: %v", f)
	}
	made, series, namespaces := 0, 0, map[string]bool{}
	events, err := r.kube.CoreV1().Events("").List(t.Context(), metav1.ListOptions{LabelSelector: RunLabel + "=test-churn"})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events.Items {
		made++
		namespaces[e.Namespace] = true
		if e.Count > 1 {
			series++
		}
	}
	l.agrees("events", made, l.soFar("create", "events", "").OK)
	const account = "system:serviceaccount:storm-loads:storm-churn"
	if others := r.requests(t, "churn", func(a audited) bool { return a.Impersonated.Username != account }); len(others) > 0 {
		t.Errorf("%d requests were not made by %s, the first: %+v", len(others), account, others[0])
	}
	if n := r.metric(t, "apiserver_flowcontrol_dispatched_requests_total", map[string]string{"flow_schema": "service-accounts"}); n < float64(made) {
		t.Errorf("the level of service accounts has dispatched %v requests, %d events were made", n, made)
	}
	if len(namespaces) != 3 || series == 0 {
		t.Errorf("events in %v, %d in a series", namespaces, series)
	}
}

// A list in pages makes as many requests as there are pages, and moves all of it.
func (r *real) testLists(t *testing.T) {
	const objects = 25
	for i := range objects {
		cm := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("listed-%d", i), Namespace: "default"},
			Data:       map[string]string{"text": strings.Repeat("x", 20_000)},
		}
		if _, err := r.kube.CoreV1().ConfigMaps("default").Create(t.Context(), cm, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := r.kube.CoreV1().ConfigMaps("").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	pages := (len(all.Items) + 4) / 5
	no := false
	for name, w := range map[string]*List{
		"whole": of(func(l *List) { l.Resource, l.Rate = "configmaps", unit.Steady(20) }).(*List),
		"rv0":   of(func(l *List) { l.Resource, l.Rate, l.ResourceVersion = "configmaps", unit.Steady(20), "0" }).(*List),
		"pages": of(func(l *List) { l.Resource, l.Rate, l.Unpaginated, l.Limit = "configmaps", unit.Steady(5), &no, 5 }).(*List),
	} {
		l := r.put(t, name, w)
		eventually(t, "ten lists", func() bool { return l.soFar("list", "configmaps", w.detail()).OK >= 10 })
		l.end()
		if f := l.failures(); len(f) > 0 {
			t.Errorf("%s: failures: %v", name, f)
		}
		got := l.soFar("list", "configmaps", w.detail())
		served := len(r.requests(t, name, func(a audited) bool {
			preparing := strings.Contains(a.URI, "limit=1&") || strings.HasSuffix(a.URI, "limit=1")
			return a.Verb == "list" && a.Object.Resource == "configmaps" && a.Response.Code == 200 && a.Stage == "ResponseComplete" && !preparing
		}))
		perList := 1
		if name == "pages" {
			perList = pages
		}
		if served < perList*int(got.OK) || served > perList*int(got.OK+l.cut.Load()) {
			t.Errorf("%s: %d lists of %d requests, the server served %d", name, got.OK, perList, served)
		}
		// Pages of 100 kB are too small for the server to compress.
		if each := int(got.Bytes / got.OK); name == "pages" && each < objects*20_000 || each == 0 {
			t.Errorf("%s: %d bytes a list", name, each)
		}
	}
}

// An API server that is killed is counted against it, and everything comes
// back after it: renewals, watches, events.
func (r *real) testOutage(t *testing.T) {
	nodes := r.put(t, "fleet", of(func(n *Nodes) { n.Count, n.Heartbeat = nodeCount, unit.Duration(time.Second) }))
	churn := r.put(t, "churn", of(func(e *EventChurn) {}))
	before := func() uint64 { return nodes.soFar("watch", "pods", "kubelet").OK }
	eventually(t, "every node's watch", func() bool { return before() == nodeCount })

	apiserver := clusters.OfKind(r, clusters.KindAPIServer, "")[0]
	if err := apiserver.(clusters.Signaler).Signal(t.Context(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "failures of renewals and events", func() bool {
		return nodes.soFar("update", "leases.coordination.k8s.io", "").Errors["unreachable"] > 0 && churn.soFar("create", "events", "").Errors["unreachable"] > 0
	})
	restarter := apiserver.(clusters.Restarter)
	if err := restarter.Start(t.Context(), clusters.Change{}); err != nil {
		t.Fatal(err)
	}
	if err := restarter.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the watches of all nodes on the new server", func() bool { return r.podWatches(t) >= nodeCount })
	renewed, made := nodes.soFar("update", "leases.coordination.k8s.io", "").OK, churn.soFar("create", "events", "").OK
	eventually(t, "renewals and events after the outage", func() bool {
		return nodes.soFar("update", "leases.coordination.k8s.io", "").OK >= renewed+nodeCount && churn.soFar("create", "events", "").OK >= made+50
	})
	nodes.end()
	churn.end()
	// The new server's cache begins behind what the watches had seen: they are told so, and
	// list anew.
	expired := uint64(0)
	for what, n := range nodes.failures() {
		t.Logf("%s: %d", what, n)
		if strings.Contains(what, "watch") && strings.Contains(what, "410") {
			expired += n
		}
	}
	if expired < nodeCount {
		t.Errorf("%d watches were told that their version is too old, of %d nodes", expired, nodeCount)
	}
}
