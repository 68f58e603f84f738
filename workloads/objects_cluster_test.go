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
	t.Run("events", func(t *testing.T) { r.testEventLists(t, "events", "protobuf") })
	t.Run("events in JSON", func(t *testing.T) { r.testEventLists(t, "json-events", "json") })
	for name := range carriers {
		t.Run("churn of "+name, func(t *testing.T) { r.testObjectChurn(t, name, "protobuf") })
	}
	for _, name := range []string{"secrets", "pods", "leases"} {
		t.Run("churn of "+name+" in JSON", func(t *testing.T) { r.testObjectChurn(t, name, "json") })
	}
	t.Run("churn of a manifest", r.testManifests)
	t.Run("refused manifests", r.testRefusedManifests)
	t.Run("conflicts", r.testConflicts)
	t.Run("ramp", r.testRamp)
	t.Run("preload", r.testPreload)
	t.Run("lists of custom resources", r.testCustomLists)
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

// Events are created, counted up and listed, by namespace. The API server takes a
// body only as what its content type says.
func (r *real) testEventLists(t *testing.T, name, content string) {
	l := r.put(t, name, of(func(e *EventChurn) {
		e.Rate, e.Arrivals, e.Namespaces, e.Lists, e.Content = unit.Steady(200), "poisson", 2, .2, content
	}))
	lists := func() uint64 { return l.ok("list", "events", "namespace", "unpaginated") }
	eventually(t, "events made, counted up and listed", func() bool {
		return lists() >= 50 && l.soFar("create", "events", "").OK >= 100 && l.soFar("patch", "events", "").OK >= 50
	})
	l.end()
	if f := l.failures(); len(f) > 0 {
		t.Errorf("failures: %v", f)
	}
	l.agrees("lists", r.answered(t, name, "list", "events", http.StatusOK), lists())
	l.agrees("creations", r.answered(t, name, "create", "events", http.StatusCreated), l.soFar("create", "events", "").OK)
	in := map[string]bool{}
	for _, a := range r.requests(t, name, func(a audited) bool { return a.Verb == "list" }) {
		in[a.Object.Namespace] = true
	}
	if len(in) != 2 || !in["storm-"+name+"-0"] || !in["storm-"+name+"-1"] {
		t.Errorf("lists of %v", in)
	}
	// Each list moves the whole namespace: an event takes some hundreds of bytes.
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.windows[rundir.Key{Workload: name, Verb: "list", Resource: "events", Scope: "namespace", Detail: "unpaginated"}]
	if w.Bytes/w.OK < 1000 {
		t.Errorf("%d bytes in %d lists", w.Bytes, w.OK)
	}
}

// Objects of a kind are created, updated, patched and deleted as often as the
// server says, are never more than the population, and carry what they should.
func (r *real) testObjectChurn(t *testing.T, resource, content string) {
	const population = 200
	kind, name := carriers[resource], "churn-"+resource+"-"+content
	o := of(func(o *ObjectChurn) {
		o.Resource, o.Rate, o.Namespaces, o.Size = resource, unit.Steady(100), 2, sizes("1KiB..8KiB")
		o.Population, o.InFlight, o.Content = population, population, content
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

// gadgets is a custom resource of somebody else's: the definition, as a user has
// it in a file.
const gadgets = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [colour]
            properties:
              colour: {type: string, enum: [red, green]}
              payload: {type: string}
`

// Any resource can be churned by its manifest: one that the API server has, and
// one that the scenario, or somebody before it, defines.
func (r *real) testManifests(t *testing.T) {
	for _, c := range []struct {
		name     string
		shape    Shape
		resource string // as the series and the server call it
		path     string
		cargo    func(map[string]any) string
	}{
		{
			"defined", Shape{Resource: "gadgets.example.com", Object: node(t, "spec: {colour: red}"), Cargo: "spec.payload", Definition: node(t, gadgets)},
			"gadgets.example.com", "/apis/example.com/v1alpha1/namespaces/storm-defined/gadgets",
			func(o map[string]any) string { return o["spec"].(map[string]any)["payload"].(string) },
		},
		{
			// Its definition is there by now, as if a user had made it.
			"there", Shape{Resource: "gadgets.v1alpha1.example.com", Object: node(t, "{kind: Gadget, spec: {colour: green}}")},
			"gadgets.example.com", "/apis/example.com/v1alpha1/namespaces/storm-there/gadgets", inAnnotation,
		},
		{
			"policies", Shape{Resource: "networkpolicies", Object: node(t, "{metadata: {labels: {app: web}}, spec: {podSelector: {}}}")},
			"networkpolicies.networking.k8s.io", "/apis/networking.k8s.io/v1/namespaces/storm-policies/networkpolicies", inAnnotation,
		},
		{
			"roles", Shape{Resource: "clusterroles.rbac.authorization.k8s.io", Object: node(t, "rules: []")},
			"clusterroles.rbac.authorization.k8s.io", "/apis/rbac.authorization.k8s.io/v1/clusterroles", inAnnotation,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			const population = 60
			o := of(func(o *ObjectChurn) {
				o.Shape, o.Rate, o.Size = c.shape, unit.Steady(60), sizes("1KiB..64KiB")
				o.Population, o.InFlight = population, population
			}).(*ObjectChurn)
			l := r.put(t, c.name, o)
			of := func(verb string) uint64 { return l.soFar(verb, c.resource, "").OK }
			eventually(t, "every verb", func() bool {
				return of("create") >= 20 && of("update") >= 20 && of("patch") >= 20 && of("delete") >= 20
			})
			l.end()
			l.onlyFailed("refused")
			plural, _, _ := strings.Cut(c.resource, ".")
			for verb, status := range map[string]int{"update": http.StatusOK, "patch": http.StatusOK, "delete": http.StatusOK} {
				l.agrees(verb, r.answered(t, c.name, verb, plural, status), of(verb))
			}
			body, err := r.kube.CoreV1().RESTClient().Get().AbsPath(c.path).Param("labelSelector", RunLabel+"=test-"+c.name).DoRaw(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var list struct{ Items []map[string]any }
			if err := json.Unmarshal(body, &list); err != nil {
				t.Fatal(err)
			}
			unsure := int(l.cut.Load())
			if n := len(o.people.idle); len(list.Items) == 0 || len(list.Items) < n-unsure || len(list.Items) > n+unsure {
				t.Errorf("%d objects on the server, the load knows of %d and %d requests were cut off", len(list.Items), n, unsure)
			}
			for _, item := range list.Items {
				if n := len(c.cargo(item)); n < 1<<10 || n > 64<<10 {
					t.Errorf("%v carries %d bytes", item["metadata"].(map[string]any)["name"], n)
				}
			}
		})
	}
}

// inAnnotation is what an object carries in its annotation.
func inAnnotation(o map[string]any) string {
	text, _ := o["metadata"].(map[string]any)["annotations"].(map[string]any)[cargoAnnotation].(string)
	return text
}

// What the API server does not serve, or would not take, is refused before the
// load begins, in its words.
func (r *real) testRefusedManifests(t *testing.T) {
	for name, c := range map[string]struct {
		shape      Shape
		namespaces int
		want       string
	}{
		"unknown":      {Shape{Resource: "gadget.example.org", Object: node(t, "spec: {}")}, 1, "did you mean gadgets.example.com?"},
		"of a version": {Shape{Resource: "deployments.v1beta1.apps", Object: node(t, "spec: {}")}, 1, "did you mean deployments.apps?"},
		"misspelt":     {Shape{Resource: "networkpolicies", Object: node(t, "spec: {podSelektor: {}}")}, 1, `unknown field "spec.podSelektor"`},
		"in a custom":  {Shape{Resource: "gadgets.example.com", Object: node(t, "spec: {colour: red, size: 5}")}, 1, `unknown field "spec.size"`},
		"invalid":      {Shape{Resource: "gadgets.example.com", Object: node(t, "spec: {colour: blue}")}, 1, `Unsupported value: "blue"`},
		"cargo":        {Shape{Resource: "gadgets.example.com", Object: node(t, "spec: {colour: red}"), Cargo: "spec.text"}, 1, `unknown field "spec.text"`},
		"read alone":   {Shape{Resource: "componentstatuses", Object: node(t, "{}")}, 1, "offers no create of it"},
		"in none":      {Shape{Resource: "clusterroles.rbac.authorization.k8s.io", Object: node(t, "rules: []")}, 2, "are in no namespace"},
		"definition": {Shape{Resource: "things.example.com", Object: node(t, "{}"), Definition: node(t,
			"{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: things.example.com}, spec: {group: example.com, names: {plural: things, kind: Thing}, scope: Everywhere, versions: []}}")}, 1, "spec.scope"},
	} {
		w := of(func(o *ObjectChurn) { o.Shape, o.Namespaces = c.shape, c.namespaces })
		if problems := w.Check(); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
			continue
		}
		err := w.Prepare(t.Context(), r.environment(t, "refused"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		t.Logf("%s: %v", name, err)
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
	conflicts := func() uint64 { return l.soFar("update", "configmaps", "").Errors["409 conflict"] }
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
	l.onlyFailed("409 conflict", "refused")
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
			{Shape: Shape{Resource: "configmaps"}, Count: 300, Size: sizes("1KiB..4KiB"), Namespaces: 3},
			{Shape: Shape{Resource: "pods"}, Count: 100, Size: sizes("100B"), Namespaces: 1},
			{Shape: Shape{Resource: "widgets"}, Count: 50, Size: sizes("2KiB"), Namespaces: 1},
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

// A list of custom resources has its metadata behind its items, which hold more than
// storm does of an answer: its pages and its version are found all the same.
func (r *real) testCustomLists(t *testing.T) {
	const widgets = 40
	shelf := r.put(t, "shelf", of(func(p *Preload) {
		p.Objects = []PreloadObjects{{Shape: Shape{Resource: "widgets"}, Count: widgets, Size: sizes("12KiB"), Namespaces: 1}}
	}))
	defer shelf.end()
	pages := of(func(l *List) { l.Resource, l.Content, l.Limit, l.Rate = "widgets", "json", 10, unit.Steady(5) }).(*List)
	l := r.put(t, "pages", pages)
	eventually(t, "five lists", func() bool { return l.of("list", pages.detail()).OK >= 5 })
	l.end()
	served := r.requests(t, "pages", func(a audited) bool {
		return a.Verb == "list" && a.Object.Resource == "widgets" && query(t, a.URI).Get("limit") == "10" && a.Response.Code == 200 && a.Stage == "ResponseComplete"
	})
	if got := l.of("list", pages.detail()).OK; len(served) < widgets/10*int(got) {
		t.Errorf("storm counted %d lists, and the server served %d pages", got, len(served))
	}
	herd := r.put(t, "readers", of(func(n *Informers) { n.Resource, n.Count, n.Sync, n.Content = "widgets", 3, "list", "json" }))
	eventually(t, "three informers in sync", func() bool { return herd.of("sync", "list").OK == 3 })
	herd.end()
	for _, l := range []*load{l, herd} {
		if f := l.failures(); len(f) > 0 {
			t.Errorf("failures: %v", f)
		}
	}
}

// The limits of what objects carry are the server's: it takes as much, and
// refuses a little more.
func (r *real) testLimits(t *testing.T) {
	l := r.put(t, "largest", of(func(p *Preload) {
		p.Objects, p.Parallel = nil, 2
		for name, c := range carriers {
			p.Objects = append(p.Objects, PreloadObjects{Shape: Shape{Resource: name}, Count: 2, Size: unit.OneSize(c.limit), Namespaces: 1})
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
