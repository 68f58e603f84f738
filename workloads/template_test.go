package workloads

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/restmapper"

	"github.com/storm-harness/storm/internal/strict"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/workloads/lean"
)

// node parses a mapping.
func node(t *testing.T, text string) *strict.Node {
	t.Helper()
	n, problems := strict.Parse("test.yaml", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return n
}

// served are resources as discovery tells of them.
func served() []*restmapper.APIGroupResources {
	group := func(name, version string, list ...metav1.APIResource) *restmapper.APIGroupResources {
		v := metav1.GroupVersionForDiscovery{GroupVersion: strings.TrimPrefix(name+"/"+version, "/"), Version: version}
		return &restmapper.APIGroupResources{
			Group:              metav1.APIGroup{Name: name, Versions: []metav1.GroupVersionForDiscovery{v}, PreferredVersion: v},
			VersionedResources: map[string][]metav1.APIResource{version: list},
		}
	}
	all := metav1.Verbs{"create", "delete", "get", "list", "patch", "update", "watch"}
	return []*restmapper.APIGroupResources{
		group("", "v1", metav1.APIResource{Name: "pods", SingularName: "pod", Namespaced: true, Kind: "Pod", Verbs: all}, metav1.APIResource{Name: "pods/status", Kind: "Pod"},
			metav1.APIResource{Name: "componentstatuses", SingularName: "componentstatus", Kind: "ComponentStatus", Verbs: metav1.Verbs{"get", "list"}}),
		group("networking.k8s.io", "v1", metav1.APIResource{Name: "networkpolicies", SingularName: "networkpolicy", Namespaced: true, Kind: "NetworkPolicy", Verbs: all}),
		group("example.com", "v2", metav1.APIResource{Name: "gadgets", SingularName: "gadget", Kind: "Gadget", Verbs: all}),
	}
}

// A manifest's resource is found by what the API server says, or refused with
// what it was most likely meant to be.
func TestResourcesAreResolved(t *testing.T) {
	for _, c := range []struct {
		name, object, want, wrong string
	}{
		{"networkpolicies", "spec: {}", "networking.k8s.io/v1 networkpolicies NetworkPolicy namespaced", ""},
		{"networkpolicies.networking.k8s.io", "spec: {}", "networking.k8s.io/v1 networkpolicies NetworkPolicy namespaced", ""},
		{"gadgets.example.com", "spec: {}", "example.com/v2 gadgets Gadget", ""},
		{"gadgets.v2.example.com", "spec: {}", "example.com/v2 gadgets Gadget", ""},
		{"gadgets.example.com", "{apiVersion: example.com/v2, kind: Gadget}", "example.com/v2 gadgets Gadget", ""},
		{"pods", "spec: {}", "v1 pods Pod namespaced", ""},
		{"gadgets.v1.example.com", "spec: {}", "", "did you mean gadgets.example.com?"},
		{"gadgets.example.org", "spec: {}", "", "did you mean gadgets.example.com?"},
		{"gadget.exampl.com", "spec: {}", "", "did you mean gadgets.example.com?"},
		{"certificates.acme.io", "spec: {}", "", "give its definition"},
		{"gadgets.example.com", "{apiVersion: example.com/v1}", "", "does not serve it"},
		{"gadgets.example.com", "{apiVersion: other.com/v2}", "", "object.apiVersion: is other.com/v2, but the resource is gadgets.example.com"},
		{"gadgets.example.com", "{kind: Widget}", "", "object.kind: is Widget, but gadgets.example.com are of the kind Gadget"},
		{"componentstatuses", "spec: {}", "", "offers no create of it, but get, list"},
	} {
		s := &Shape{Resource: c.name, Object: node(t, c.object)}
		k, problems := s.carrier()
		if len(problems) > 0 {
			t.Errorf("%s: %v", c.name, problems)
			continue
		}
		err := k.find(&Env{}, served(), []string{"create", "update"})
		if c.wrong != "" {
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s with %s: %v, want %q", c.name, c.object, err, c.wrong)
			}
			continue
		}
		r := k.resource
		got := strings.TrimPrefix(r.group+"/"+r.version, "/") + " " + r.name
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got += " " + k.template.object["kind"].(string)
		if r.namespaced {
			got += " namespaced"
		}
		if got != c.want || k.template.object["apiVersion"] != strings.Fields(c.want)[0] {
			t.Errorf("%s is %s in %v, want %s", c.name, got, k.template.object["apiVersion"], c.want)
		}
	}
	k, _ := (&Shape{Resource: "gadgets.example.org", Object: node(t, "spec: {}")}).carrier()
	if err := k.find(&Env{}, served(), nil); !errors.Is(err, errNotServed) {
		t.Errorf("got %v", err)
	}
}

// An object is its manifest, with what storm adds, and carries its bytes where
// the scenario wants them; the manifest itself stays as it is.
func TestTemplatesCarry(t *testing.T) {
	const manifest = `
metadata: {labels: {app: web}, annotations: {note: "1"}}
spec: {count: 3, share: 0.5, on: true, list: [a, {b: c}], text: "5", payload: old, none: null}
`
	for cargo, limit := range map[string]unit.Size{"": annotationLimit, "spec.payload": requestLimit, "spec.deep.er": requestLimit} {
		s := &Shape{Resource: "gadgets.example.com", Object: node(t, manifest), Cargo: cargo}
		c, problems := s.carrier()
		if len(problems) > 0 || c.limit != limit {
			t.Fatalf("%v, limit %s", problems, c.limit)
		}
		if err := c.find(&Env{}, served(), nil); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			body, err := c.encode(metav1.ObjectMeta{Name: "x", Namespace: "ns", ResourceVersion: "12", Labels: map[string]string{RunLabel: "run"}}, "the cargo")
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				APIVersion, Kind string
				Metadata         metav1.ObjectMeta
				Spec             struct {
					Count   int
					Share   float64
					On      bool
					List    []any
					Text    string
					Payload string
					Deep    struct{ Er string }
				}
			}
			if err := json.Unmarshal(body, &got); err != nil {
				t.Fatal(err)
			}
			where := map[string]string{"": got.Metadata.Annotations[cargoAnnotation], "spec.payload": got.Spec.Payload, "spec.deep.er": got.Spec.Deep.Er}
			for path, text := range where {
				if (text == "the cargo") != (path == cargo) {
					t.Errorf("cargo at %q: %q has %q", cargo, path, text)
				}
			}
			if got.APIVersion != "example.com/v2" || got.Kind != "Gadget" || got.Metadata.Name != "x" || got.Metadata.Namespace != "ns" ||
				got.Metadata.Labels["app"] != "web" || got.Metadata.Labels[RunLabel] != "run" || got.Metadata.Annotations["note"] != "1" ||
				got.Spec.Count != 3 || got.Spec.Share != .5 || !got.Spec.On || len(got.Spec.List) != 2 || got.Spec.Text != "5" {
				t.Errorf("got %s", body)
			}
			if v, err := lean.VersionOf(body); err != nil || v != 12 {
				t.Errorf("version %d, %v", v, err)
			}
			cargoLess := strings.ReplaceAll(string(body), "the cargo", "")
			if n := c.head(); int(n) < len(cargoLess) {
				t.Errorf("%d bytes of an answer are looked at, its metadata may take %d", n, len(cargoLess))
			}
		}
	}
}
