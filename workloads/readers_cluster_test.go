//go:build cluster

package workloads

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/fleet"
)

// The loads that read, on one real control plane.
func TestReadersAreWhatTheServerSees(t *testing.T) {
	r := bringUp(t)
	t.Run("lists of every manner", r.testListManners)
	t.Run("informers", r.testInformers)
	t.Run("watchers", r.testWatchers)
	t.Run("watchers of a server that is killed", r.testWatchersOutage)
}

// of adds up what was recorded of a verb, whatever its scope and detail.
func (l *load) of(verb, detail string) rundir.Window {
	l.rec.Cut()
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := rundir.Window{}
	for k, w := range l.windows {
		if k.Verb == verb && k.Detail == detail {
			sum.Key = k
			if err := sum.Merge(w); err != nil {
				l.t.Error(err)
			}
		}
	}
	return sum
}

func (r *real) configMap(t *testing.T, name, app string, size int) *corev1.ConfigMap {
	t.Helper()
	cm, err := r.kube.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": app}},
		Data:       map[string]string{"text": strings.Repeat("x", size)},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return cm
}

// Lists at a version, by selector and as a table: each is asked for as the
// scenario says, by the audit log, and the bytes are those of the server's own
// answer.
func (r *real) testListManners(t *testing.T) {
	for i := range 12 {
		r.configMap(t, fmt.Sprintf("manner-%d", i), []string{"web", "cache"}[i%2], 1000)
	}
	size := func(accept string) int {
		b, err := r.kube.CoreV1().RESTClient().Get().AbsPath("/api/v1/namespaces/default/configmaps").
			Param("labelSelector", "app=web").SetHeader("Accept", accept).DoRaw(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(b)
	}
	for name, w := range map[string]*List{
		"exact":      of(func(l *List) { l.ResourceVersion, l.Match = "current", "exact" }).(*List),
		"newer":      of(func(l *List) { l.ResourceVersion, l.Match = "current", "notOlderThan" }).(*List),
		"pages":      of(func(l *List) { l.ResourceVersion, l.Match, l.Limit = "current", "exact", 4 }).(*List),
		"table":      of(func(l *List) { l.Content = "table" }).(*List),
		"json":       of(func(l *List) { l.Content = "json" }).(*List),
		"consistent": of(func(*List) {}).(*List),
	} {
		w.Resource, w.Namespace, w.LabelSelector, w.Rate = "configmaps", "default", "app=web", unit.Steady(10)
		objects := 6
		want := size(accepts[w.Content])
		l := r.put(t, name, w)
		eventually(t, "ten lists", func() bool { return l.of("list", w.detail()).OK >= 10 })
		lists := func() []audited {
			return r.requests(t, name, func(a audited) bool {
				q := query(t, a.URI)
				return a.Verb == "list" && a.Object.Namespace == "default" && q.Get("labelSelector") == "app=web" && q.Get("limit") != "1" &&
					a.Response.Code == 200 && a.Stage == "ResponseComplete"
			})
		}
		if w.ResourceVersion == versionCurrent {
			// What the load knows moves on with what happens, whoever does it.
			made := number(t, r.configMap(t, name, "none", 10).ResourceVersion)
			eventually(t, "lists at a version after the load's beginning", func() bool {
				for _, a := range lists() {
					if v := query(t, a.URI).Get("resourceVersion"); v != "" && number(t, v) >= made {
						return true
					}
				}
				return false
			})
		}
		l.end()
		if f := l.failures(); len(f) > 0 {
			t.Errorf("%s: failures: %v", name, f)
		}
		got, served, pages := l.of("list", w.detail()), lists(), 1
		if w.Limit > 0 {
			pages = (objects + w.Limit - 1) / w.Limit
		}
		if len(served) < pages*int(got.OK) || len(served) > pages*int(got.OK+l.cut.Load()) {
			t.Errorf("%s: storm counted %d lists of %d requests, the server served %d", name, got.OK, pages, len(served))
		}
		for _, a := range served {
			q := query(t, a.URI)
			match := matches[w.Match]
			if q.Get("continue") != "" {
				match = ""
			}
			if q.Get("resourceVersionMatch") != match || (q.Get("resourceVersion") != "") != (match != "") {
				t.Errorf("%s: asked for %s", name, a.URI)
			}
		}
		// Pages have a head each, and a table says how old its objects are.
		each := int(got.Bytes / got.OK)
		if spare := want / 10; pages == 1 && (each < want-spare || each > want+spare) || each < want-spare {
			t.Errorf("%s: %d bytes a list, the server's answer has %d", name, each, want)
		}
	}

	// By a field: one object of them all.
	one := of(func(l *List) {
		l.Resource, l.Namespace, l.FieldSelector, l.Rate = "configmaps", "default", "metadata.name=manner-3", unit.Steady(10)
	}).(*List)
	l := r.put(t, "field", one)
	eventually(t, "ten lists by a field", func() bool { return l.of("list", one.detail()).OK >= 10 })
	l.end()
	got := l.of("list", one.detail())
	served := len(r.requests(t, "field", func(a audited) bool {
		q := query(t, a.URI)
		return a.Verb == "list" && q.Get("fieldSelector") == "metadata.name=manner-3" && q.Get("limit") == "" && a.Response.Code == 200 && a.Stage == "ResponseComplete"
	}))
	if each, all := int(got.Bytes/got.OK), size(accepts[one.Content]); each < 1000 || each > all/3 || served < int(got.OK) || len(l.failures()) > 0 {
		t.Errorf("by a field: %d bytes a list, six objects are %d; %d lists, of which the server served %d; failures: %v", each, all, got.OK, served, l.failures())
	}

	w := of(func(l *List) { l.FieldSelector = "spec.colour=red" })
	clock := measure.NewClock()
	env := &Env{Name: "colour", Admin: r.Access().REST, REST: r.Access().REST, Clock: clock}
	if err := w.Prepare(t.Context(), env); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("a field that pods do not have is taken: %v", err)
	}
	w = of(func(l *List) { l.Resource = "gadgets.v1.example.net" })
	if err := w.Prepare(t.Context(), env); err == nil || !strings.Contains(err.Error(), "/apis/example.net/v1/gadgets: the API server does not serve it") {
		t.Errorf("a resource that is not served is taken: %v", err)
	}
}

func query(t *testing.T, uri string) url.Values {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func number(t *testing.T, s string) uint64 {
	t.Helper()
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// configMapWatches is how many watches the server has of the configmaps of one
// namespace; those of controllers are of the whole cluster.
func (r *real) configMapWatches(t *testing.T) float64 {
	return r.metric(t, "apiserver_longrunning_requests", map[string]string{"verb": "WATCH", "resource": "configmaps", "scope": "namespace"})
}

// Informers sync as they were told to, hold their watches, and are gone after.
func (r *real) testInformers(t *testing.T) {
	const count = 40
	objects, err := r.kube.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	streamed := func() float64 {
		return r.metric(t, "apiserver_watch_list_duration_seconds", map[string]string{"resource": "configmaps", "scope": "namespace"})
	}
	initial := func() float64 {
		return r.metric(t, "apiserver_init_events_total", map[string]string{"resource": "configmaps"})
	}
	for name, c := range map[string]struct {
		change func(*Informers)
		rounds int // of syncs to wait for
		asks   []string
	}{
		"streamed":      {func(*Informers) {}, 1, []string{"watch sendInitialEvents"}},
		"streamed-json": {func(n *Informers) { n.Content = "json" }, 1, []string{"watch sendInitialEvents"}},
		"streamed-own":  {func(n *Informers) { n.Connections = "own" }, 1, []string{"watch sendInitialEvents"}},
		"listed":        {func(n *Informers) { n.Sync = "list" }, 1, []string{"list", "watch"}},
		"listed-json":   {func(n *Informers) { n.Sync, n.Content = "list", "json" }, 1, []string{"list", "watch"}},
		"listed-again": {func(n *Informers) {
			n.Sync, n.RestartEvery, n.StartOver = "list", unit.Duration(2*time.Second), unit.Duration(time.Second)
		}, 3, []string{"list", "watch"}},
		"listed-anew": {func(n *Informers) {
			n.Sync, n.Restarts, n.Arrivals = "list", schedule("0/s for 3s, 10/s"), "poisson" // not before all are in sync
		}, 2, []string{"list", "watch"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := of(func(n *Informers) { n.Count, n.Resource, n.Namespace = count, "configmaps", "default" }).(*Informers)
			c.change(w)
			watches, lists, events, sockets := r.configMapWatches(t), streamed(), initial(), openSockets(t)
			l := r.put(t, name, w)
			eventually(t, "all informers in sync", func() bool { return l.of("sync", w.Sync).OK >= uint64(c.rounds*count) })
			eventually(t, "the watches of all informers", func() bool { return r.configMapWatches(t) == watches+count })
			if own := openSockets(t) - sockets; (own >= count) != (w.Connections == "own") {
				t.Errorf("%d connections", own)
			}
			l.end()
			if f := l.failures(); len(f) > 0 {
				t.Errorf("failures: %v", f)
			}
			synced := l.of("sync", w.Sync)
			if w.RestartEvery == 0 && w.Restarts.Zero() && synced.OK != count {
				t.Errorf("%d syncs of %d informers", synced.OK, count)
			}
			var payload uint64
			for _, o := range objects.Items {
				payload += uint64(len(o.Data["text"]))
			}
			if synced.Bytes < payload*synced.OK {
				t.Errorf("%d bytes in %d syncs of %d bytes", synced.Bytes, synced.OK, payload)
			}
			if w.Sync == "watchList" {
				if got := streamed() - lists; got != count {
					t.Errorf("the server streamed %v lists, want %d", got, count)
				}
				if got := initial() - events; got < float64(count*len(objects.Items)) {
					t.Errorf("the server sent %v initial events, want %d of each informer", got, len(objects.Items))
				}
			}
			for _, ask := range c.asks {
				verb, param, _ := strings.Cut(ask, " ")
				asked := len(r.requests(t, name, func(a audited) bool {
					q := query(t, a.URI)
					done := a.Stage == "ResponseComplete" && verb == "list" || a.Stage == "ResponseStarted" && verb == "watch"
					return done && a.Verb == verb && a.Object.Resource == "configmaps" && a.Response.Code == 200 && q.Get("limit") == "" &&
						(param == "" || q.Get(param) == "true")
				}))
				l.agrees(ask, asked, l.of(verb, w.Sync).OK)
			}
			eventually(t, "all watches closed", func() bool { return r.configMapWatches(t) == watches && openSockets(t) <= sockets })
		})
	}
}

// delivered is what was recorded of deliveries.
func (l *load) delivered(resource string) rundir.Window {
	l.rec.Cut()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.windows[rundir.Key{Workload: l.env.Name, Verb: "deliver", Resource: resource, Scope: "resource", Via: fleet.ViaWatch}]
}

// Every write that the server did is delivered to every watch that it holds.
func (r *real) testWatchers(t *testing.T) {
	const count = 70
	for name, change := range map[string]func(*Watchers){
		"streamed":    func(*Watchers) {},
		"listed-json": func(w *Watchers) { w.Sync, w.Content, w.Connections = "list", "json", "own" },
		"secrets":     func(w *Watchers) { w.Resource, w.Objects, w.Arrivals = "secrets", 1, "poisson" },
	} {
		t.Run(name, func(t *testing.T) {
			w := of(func(w *Watchers) { w.Count, w.Rate = count, unit.Steady(50) }).(*Watchers)
			change(w)
			watches := func() float64 {
				return r.metric(t, "apiserver_longrunning_requests", map[string]string{"verb": "WATCH", "resource": w.Resource, "scope": "namespace"})
			}
			before := watches()
			l := r.put(t, name, w)
			if got := watches() - before; got != count {
				t.Errorf("the server holds %v watches, want %d", got, count)
			}
			eventually(t, "a hundred writes on every watch", func() bool { return l.delivered(w.Resource).OK >= 100*count })
			l.end()
			if f := l.failures(); len(f) > 0 {
				t.Errorf("failures: %v", f)
			}
			written := l.soFar("patch", w.Resource, "").OK
			l.agrees("writes", len(r.requests(t, name, func(a audited) bool {
				return a.Verb == "patch" && a.Object.Resource == w.Resource && a.Response.Code == 200
			})), written)
			got := l.delivered(w.Resource)
			if got.OK < count*written || got.OK > count*(written+l.cut.Load()) || got.Hist == "" {
				t.Errorf("%d deliveries of %d writes to %d watches, and %d cut off", got.OK, written, count, l.cut.Load())
			}
			if got.Bytes < got.OK<<10 {
				t.Errorf("%d bytes in %d deliveries of 1 KiB", got.Bytes, got.OK)
			}
			eventually(t, "all watches closed", func() bool { return watches() == before })
		})
	}
}

// A server that is killed loses no acknowledged write's event but those that the
// watches, which have to list anew, can no longer be shown one by one.
func (r *real) testWatchersOutage(t *testing.T) {
	l := r.put(t, "outlast", of(func(w *Watchers) { w.Count, w.Rate = 20, unit.Steady(50) }))
	herd := r.put(t, "herd", of(func(n *Informers) { n.Resource, n.Count, n.RestartEvery = "configmaps", 10, unit.Duration(time.Second) }))
	ok := func() uint64 { return l.delivered("configmaps").OK }
	eventually(t, "deliveries", func() bool { return ok() >= 20*20 && herd.of("sync", "watchList").OK >= 10 })
	apiserver := clusters.OfKind(r, clusters.KindAPIServer, "")[0]
	if err := apiserver.(clusters.Signaler).Signal(t.Context(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "failed writes", func() bool { return l.soFar("patch", "configmaps", "").Errors["unreachable"] > 0 })
	eventually(t, "informers that did not get in sync", func() bool { return herd.of("sync", "watchList").Errors[CodeUnsynced] >= 10 })
	restarter := apiserver.(clusters.Restarter)
	if err := restarter.Start(t.Context(), clusters.Change{}); err != nil {
		t.Fatal(err)
	}
	if err := restarter.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	// After the pauses of an outage it may take client-go, and so this, more than
	// a minute until the last watch is back; some are soon.
	eventually(t, "watches on the new server", func() bool { return r.configMapWatches(t) >= 1 })
	again, synced := ok(), herd.of("sync", "watchList").OK
	eventually(t, "deliveries and syncs after the outage", func() bool {
		return ok() >= again+50 && herd.of("sync", "watchList").OK >= synced+10
	})
	back := r.configMapWatches(t)
	l.end()
	herd.end()
	for what, n := range l.failures() {
		t.Logf("%s: %d", what, n)
	}
	lost := l.delivered("configmaps").Errors
	if lost[CodeMissed] > 0 || lost[CodeUnresumed] > 0 && back == 20 {
		t.Errorf("deliveries that did not come to %v watches: %v", back, lost)
	}
}
