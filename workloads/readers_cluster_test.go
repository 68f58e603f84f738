//go:build cluster

package workloads

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
)

// The loads that read, on one real control plane.
func TestReadersAreWhatTheServerSees(t *testing.T) {
	r := bringUp(t)
	t.Run("lists of every manner", r.testListManners)
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

	w := of(func(l *List) { l.FieldSelector = "spec.colour=red" })
	clock := measure.NewClock()
	env := &Env{Name: "colour", Admin: r.Access().REST, REST: r.Access().REST, Clock: clock}
	if err := w.Prepare(t.Context(), env); err == nil || !strings.Contains(err.Error(), "400") {
		t.Errorf("a field that pods do not have is taken: %v", err)
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
