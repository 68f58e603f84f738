//go:build cluster

package workloads

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/workloads/client"
)

// The loads that write objects, on one real control plane, and what that holds
// and says of them by itself.
func TestObjectLoadsAreWhatTheServerSees(t *testing.T) {
	r := bringUp(t)
	t.Run("events", r.testEventLists)
	for name := range carriers {
		t.Run("churn of "+name, func(t *testing.T) { r.testObjectChurn(t, name) })
	}
	t.Run("conflicts", r.testConflicts)
	t.Run("ramp", r.testRamp)
	t.Run("preload", r.testPreload)
	t.Run("limits", r.testLimits)
}

// stored is an object as the API server holds it.
type stored struct {
	Metadata metav1.ObjectMeta `json:"metadata"`
	Data     map[string]json.RawMessage
	Spec     struct {
		Cargo    string
		NodeName string
	}
	Status struct{ Phase string }
}

// cargo returns the bytes that the object carries.
func (s stored) cargo(t *testing.T, kind carrier) int {
	t.Helper()
	if raw, ok := s.Data[cargoKey]; ok {
		var text string
		var bytes []byte // of a Secret, in base64
		if kind.resource.name == "secrets" && json.Unmarshal(raw, &bytes) == nil {
			return len(bytes)
		}
		if err := json.Unmarshal(raw, &text); err != nil {
			t.Fatal(err)
		}
		return len(text)
	}
	return len(s.Spec.Cargo) + len(s.Metadata.Annotations[cargoAnnotation])
}

// stored returns a load's objects in these namespaces.
func (r *real) stored(t *testing.T, kind carrier, load string, count int) []stored {
	t.Helper()
	var out []stored
	for _, n := range namespaces(load, count) {
		body, err := r.kube.CoreV1().RESTClient().Get().AbsPath(kind.resource.path(n)).Param("labelSelector", RunLabel+"=test-"+load).DoRaw(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var list struct{ Items []stored }
		if err := json.Unmarshal(body, &list); err != nil {
			t.Fatal(err)
		}
		out = append(out, list.Items...)
	}
	return out
}

// answered counts a load's requests that were answered with that status.
func (r *real) answered(t *testing.T, workload, verb, resource string, status int) int {
	t.Helper()
	return len(r.requests(t, workload, func(a audited) bool {
		return a.Verb == verb && a.Object.Resource == resource && a.Response.Code == status && a.Stage == "ResponseComplete"
	}))
}

// onlyFailed holds that no request failed otherwise than so. The in-flight bound
// is reached where the machine has other things to do.
func (l *load) onlyFailed(codes ...string) {
	l.t.Helper()
	for what, n := range l.failures() {
		if _, code, _ := strings.Cut(what, ": "); !slices.Contains(codes, code) {
			l.t.Errorf("%d failures: %s", n, what)
		}
	}
}

// ok returns the successes of a series.
func (l *load) ok(verb, resource, scope, detail string) uint64 {
	l.rec.Cut()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.windows[rundir.Key{Workload: l.env.Name, Verb: verb, Resource: resource, Scope: scope, Detail: detail}].OK
}

// Events are created, counted up and listed, by namespace.
func (r *real) testEventLists(t *testing.T) {
	l := r.put(t, "events", of(func(e *EventChurn) {
		e.Rate, e.Arrivals, e.Namespaces, e.Lists = unit.Steady(200), "poisson", 2, .2
	}))
	lists := func() uint64 { return l.ok("list", "events", "namespace", "unpaginated") }
	eventually(t, "events made, counted up and listed", func() bool {
		return lists() >= 50 && l.soFar("create", "events", "").OK >= 100 && l.soFar("patch", "events", "").OK >= 50
	})
	l.end()
	if f := l.failures(); len(f) > 0 {
		t.Errorf("failures: %v", f)
	}
	l.agrees("lists", r.answered(t, "events", "list", "events", http.StatusOK), lists())
	l.agrees("creations", r.answered(t, "events", "create", "events", http.StatusCreated), l.soFar("create", "events", "").OK)
	in := map[string]bool{}
	for _, a := range r.requests(t, "events", func(a audited) bool { return a.Verb == "list" }) {
		in[a.Object.Namespace] = true
	}
	if len(in) != 2 || !in["storm-events-0"] || !in["storm-events-1"] {
		t.Errorf("lists of %v", in)
	}
	// Each list moves the whole namespace: an event takes some hundreds of bytes.
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[rundir.Key{Workload: "events", Verb: "list", Resource: "events", Scope: "namespace", Detail: "unpaginated"}]
	if w.Bytes/w.OK < 1000 {
		t.Errorf("%d bytes in %d lists", w.Bytes, w.OK)
	}
}

// Objects of a kind are created, updated, patched and deleted as often as the
// server says, are never more than the population, and carry what they should.
func (r *real) testObjectChurn(t *testing.T, resource string) {
	const population = 200
	kind, name := carriers[resource], "churn-"+resource
	o := of(func(o *ObjectChurn) {
		o.Resource, o.Rate, o.Namespaces, o.Size = resource, unit.Steady(100), 2, sizes("1KiB..8KiB")
		o.Population, o.InFlight = population, population
	}).(*ObjectChurn)
	l := r.put(t, name, o)
	of := func(verb string) uint64 { return l.soFar(verb, kind.resource.String(), "").OK }
	defer func() {
		if t.Failed() {
			t.Log(l.failures())
		}
	}()
	eventually(t, "every verb", func() bool {
		return of("create") >= 40 && of("update") >= 40 && of("patch") >= 40 && of("delete") >= 40
	})
	l.end()
	l.onlyFailed("refused")
	for verb, status := range map[string]int{"create": http.StatusCreated, "update": http.StatusOK, "patch": http.StatusOK, "delete": http.StatusOK} {
		done := r.answered(t, name, verb, resource, status)
		if verb == "create" {
			done -= population / 2 // of the preparation
		}
		l.agrees(verb, done, of(verb))
	}
	there := r.stored(t, kind, name, 2)
	unsure := int(l.cut.Load())
	if n := len(o.people.idle); len(there) > population || len(there) < n-unsure || len(there) > n+unsure {
		t.Errorf("%d objects on the server, the load knows of %d and %d requests were cut off; the population is %d", len(there), n, unsure, population)
	}
	in, patched, sized := map[string]int{}, 0, map[int]bool{}
	for _, s := range there {
		size := s.cargo(t, kind)
		if size < 1<<10 || size > 8<<10 {
			t.Errorf("%s carries %d bytes", s.Metadata.Name, size)
		}
		sized[size] = true
		in[s.Metadata.Namespace]++
		if s.Metadata.Annotations["storm.dev/revision"] != "" {
			patched++
		}
	}
	if len(in) != 2 || patched == 0 || len(sized) < 3 {
		t.Errorf("objects in %v, %d patched, %d sizes", in, patched, len(sized))
	}
}

// Where somebody else writes the objects too, updates meet conflicts: they are
// counted as such, and the objects are read anew.
func (r *real) testConflicts(t *testing.T) {
	l := r.put(t, "contended", of(func(o *ObjectChurn) {
		o.Rate, o.Population, o.InFlight = unit.Steady(50), 100, 100
		o.Create, o.Update, o.Patch, o.Delete = 0, 1, 0, 0
	}))
	maps := r.kube.CoreV1().ConfigMaps("storm-contended")
	conflicts := func() uint64 { return l.soFar("update", "configmaps", "").Errors["409"] }
	eventually(t, "conflicts, and objects read anew", func() bool {
		for i := range 100 {
			patch := fmt.Sprintf(`{"metadata":{"annotations":{"other":"%d"}}}`, rand.Uint64())
			if _, err := maps.Patch(t.Context(), fmt.Sprintf("load-%d", i), types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		return conflicts() >= 20 && l.soFar("get", "configmaps", "").OK >= 20
	})
	updated := l.soFar("update", "configmaps", "").OK
	eventually(t, "updates that go on", func() bool { return l.soFar("update", "configmaps", "").OK >= updated+20 })
	l.end()
	l.agrees("conflicts", r.answered(t, "contended", "update", "configmaps", http.StatusConflict), conflicts())
	l.agrees("updates", r.answered(t, "contended", "update", "configmaps", http.StatusOK), l.soFar("update", "configmaps", "").OK)
	l.onlyFailed("409", "refused")
}

// A ramp that comes down to nothing asks for as many requests as it adds up to,
// and for no more.
func (r *real) testRamp(t *testing.T) {
	l := r.put(t, "ramp", of(func(e *EventChurn) {
		e.Rate, e.Series = schedule("0/s..100/s over 2s, 50/s for 1s, 50/s..0/s over 2s"), 0
	}))
	const all = 100 + 50 + 50
	begun := l.env.Clock.Now()
	eventually(t, "the last of them", func() bool { return l.soFar("create", "events", "").OK == all })
	eventually(t, "a while after the end of the schedule", func() bool { return l.env.Clock.Now()-begun > int64(6*time.Second) })
	l.end()
	if n := r.answered(t, "ramp", "create", "events", http.StatusCreated); n != all {
		t.Errorf("the server took %d, want %d", n, all)
	}
}

// A base population is there before the load begins, in number and size, and
// its pods wait.
func (r *real) testPreload(t *testing.T) {
	p := of(func(p *Preload) {
		p.Objects = []PreloadObjects{
			{Resource: "configmaps", Count: 300, Size: sizes("1KiB..4KiB"), Namespaces: 3},
			{Resource: "pods", Count: 100, Size: sizes("100B"), Namespaces: 1},
			{Resource: "widgets", Count: 50, Size: sizes("2KiB"), Namespaces: 1},
		}
	}).(*Preload)
	l := r.put(t, "base", p)
	defer l.end()
	for _, o := range p.Objects {
		kind := carriers[o.Resource]
		there := r.stored(t, kind, "base", o.Namespaces)
		if len(there) != o.Count || r.answered(t, "base", "create", o.Resource, http.StatusCreated) != o.Count {
			t.Errorf("%d %s, want %d", len(there), o.Resource, o.Count)
		}
		in := map[string]int{}
		for _, s := range there {
			in[s.Metadata.Namespace]++
			if size := int64(s.cargo(t, kind)); size < o.Size.At(0) || size > o.Size.Most() {
				t.Errorf("%s %s carries %d bytes, want %s", o.Resource, s.Metadata.Name, size, o.Size)
			}
			if o.Resource == "pods" && (s.Spec.NodeName != "" || s.Status.Phase != string(corev1.PodPending)) {
				t.Errorf("pod %s is %s on %q", s.Metadata.Name, s.Status.Phase, s.Spec.NodeName)
			}
		}
		if len(in) != o.Namespaces {
			t.Errorf("%s in %v", o.Resource, in)
		}
	}
}

// The limits of what objects carry are the server's: it takes as much, and
// refuses a little more.
func (r *real) testLimits(t *testing.T) {
	l := r.put(t, "largest", of(func(p *Preload) {
		p.Objects, p.Parallel = nil, 2
		for name, c := range carriers {
			p.Objects = append(p.Objects, PreloadObjects{Resource: name, Count: 2, Size: unit.OneSize(c.limit), Namespaces: 1})
		}
	}))
	defer l.end()
	c, err := l.env.client(unit.Duration(30 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for name, kind := range carriers {
		if there := r.stored(t, kind, "largest", 1); len(there) != 2 || there[0].cargo(t, kind) != int(kind.limit) {
			t.Errorf("%s: %d objects of %s", name, len(there), kind.limit)
		}
		// Less than 5 KiB above the limit the server has enough.
		kind.limit += 5 << 10
		o := newObjects(l.env, c, kind, unit.OneSize(kind.limit), namespaces("largest", 1))
		m, rng := member{n: 99}, rand.New(rand.NewPCG(1, 1))
		a := o.create(t.Context(), &m, rng)
		if a.OK() || a.Status == 0 {
			t.Errorf("%s of %s: %+v", name, kind.limit, a)
		}
		t.Logf("%s of %s: %s", name, kind.limit, a.Code)
		// A preparation does not go on trying where that cannot change it.
		if a.Status == http.StatusUnprocessableEntity {
			if err := o.ensure(t.Context(), &m, rng); err == nil {
				t.Errorf("%s of %s was made", name, kind.limit)
			}
		}
	}
	// So does an update that is sent without the version: the server has the
	// last word on what may be written.
	kind := carriers["leases"]
	o := newObjects(l.env, c, kind, unit.OneSize(1<<10), namespaces("largest", 1))
	if a := o.update(t.Context(), &member{n: 0}, rand.New(rand.NewPCG(1, 1))); a.OK() || a.Code == client.CodeLocal {
		t.Errorf("a lease updated without its version: %+v", a)
	}
}
