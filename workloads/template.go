package workloads

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/storm-harness/storm/internal/strict"
	"github.com/storm-harness/storm/internal/unit"
)

// Shape says what a load's objects are: of a kind that storm can make by
// itself, or of any resource of the API server, as a manifest shows.
type Shape struct {
	Resource   string       `yaml:"resource" required:"true" doc:"what the objects are: configmaps, endpointslices, leases, pods that nobody schedules, secrets, or widgets, a custom resource of storm's own (widgets.load.storm.dev); with object any resource of the API server, such as networkpolicies.networking.k8s.io or gadgets.example.com"`
	Object     *strict.Node `yaml:"object" doc:"what each object is, as in its manifest, but without a name and a namespace, which storm gives; the API server's own strict validation must accept it before the load begins"`
	Cargo      string       `yaml:"cargo" doc:"the text of object that carries the bytes, such as spec.payload; an annotation by default"`
	Definition *strict.Node `yaml:"definition" doc:"the CustomResourceDefinition of the resource, which is made first where the API server does not have it"`
}

// template is what the objects of a load look like that gives a manifest.
type template struct {
	name       string // of the resource, as the scenario has it
	object     map[string]any
	cargo      []string // where the bytes go; nil: into an annotation
	definition map[string]any
	size       int // of the object, in JSON
}

// definitionKind is what a definition is.
var definitionKind = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}

// carrier returns what makes such objects, and what is wrong with the fields,
// one problem an entry. Which resource a manifest is of, the API server says
// when the load is prepared.
func (s *Shape) carrier() (carrier, []string) {
	if s.Object == nil {
		return s.known()
	}
	t := &template{name: s.Resource}
	problems := t.check(s)
	c := carrier{template: t, limit: annotationLimit, why: inAnnotations}
	if s.Cargo != "" {
		c.limit, c.why = requestLimit, etcdsLimit
	}
	c.resource.name = s.Resource // until it is resolved
	return c, problems
}

// known returns one of the kinds that storm can make by itself.
func (s *Shape) known() (carrier, []string) {
	var problems []string
	c, err := findCarrier(s.Resource)
	if err != nil {
		problems = append(problems, "resource: "+err.Error())
	}
	if s.Cargo != "" {
		problems = append(problems, "cargo: is a field of object, which is not given")
	}
	if s.Definition != nil {
		problems = append(problems, "definition: is for an object of that resource, which is not given")
	}
	return c, problems
}

// made returns what makes the objects, with its resource as the API server has
// it. verbs are what the load does to them.
func (s *Shape) made(ctx context.Context, env *Env, namespaces int, verbs ...string) (carrier, error) {
	c, problems := s.carrier()
	if len(problems) > 0 {
		return c, errors.New(problems[0])
	}
	if err := c.resolve(ctx, env, verbs...); err != nil {
		return c, fmt.Errorf("workload %s: %w", env.Name, err)
	}
	if !c.resource.namespaced && namespaces > 1 {
		return c, fmt.Errorf("workload %s: namespaces: %s are in no namespace", env.Name, s.Resource)
	}
	return c, nil
}

// anyResource is how a manifest's resource may be named: alone, with its group,
// or with version and group.
var anyResource = regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$`)

// builtinNames lists the resources that API servers have without definitions.
func builtinNames() []string {
	var names []string
	for kind := range scheme.Scheme.AllKnownTypes() {
		if strings.HasSuffix(kind.Kind, "List") || strings.HasSuffix(kind.Kind, "Options") || kind.Version == runtime.APIVersionInternal {
			continue
		}
		plural, _ := meta.UnsafeGuessKindToResource(kind)
		names = append(names, plural.Resource)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// check fills in the template from the fields, and returns what is wrong.
func (t *template) check(s *Shape) []string {
	var problems []string
	switch {
	case !anyResource.MatchString(s.Resource):
		problems = append(problems, fmt.Sprintf("resource: %q is not the name of one: write it as kubectl api-resources does, such as gadgets.example.com", s.Resource))
	case !strings.Contains(s.Resource, "."):
		if all := builtinNames(); !slices.Contains(all, s.Resource) {
			hint := "with its group, such as gadgets.example.com, where it is a custom one"
			if near, ok := strict.Nearest(s.Resource, all); ok {
				hint = "did you mean " + near + "?"
			}
			problems = append(problems, fmt.Sprintf("resource: %q is not a known resource: %s", s.Resource, hint))
		}
	}
	object, ok := s.Object.Value().(map[string]any)
	if !ok {
		return append(problems, fmt.Sprintf("object: wanted a mapping, found %s", s.Object.Found()))
	}
	t.object = object
	problems = append(problems, t.checkObject()...)
	if s.Cargo != "" {
		problems = append(problems, t.checkCargo(s.Cargo)...)
	}
	if s.Definition != nil {
		problems = append(problems, t.checkDefinition(s.Definition)...)
	}
	whole, err := json.Marshal(object)
	if err != nil {
		return append(problems, "object: "+err.Error())
	}
	t.size = len(whole)
	return problems
}

// ours are the metadata that a manifest may give; the rest is storm's, or the
// API server's, to say.
var ours = []string{"annotations", "finalizers", "labels"}

func (t *template) checkObject() []string {
	var problems []string
	for _, field := range []string{"apiVersion", "kind"} {
		if v, given := t.object[field]; given {
			if _, isText := v.(string); !isText {
				problems = append(problems, fmt.Sprintf("object.%s: wanted a text", field))
			}
		}
	}
	if v, given := t.object["metadata"]; given {
		metadata, ok := v.(map[string]any)
		if !ok {
			return append(problems, "object.metadata: wanted a mapping")
		}
		for name := range metadata {
			if !slices.Contains(ours, name) {
				problems = append(problems, fmt.Sprintf("object.metadata.%s: is not for a scenario to say: only %s are", name, strings.Join(ours, ", ")))
			}
		}
		slices.Sort(problems)
		for _, name := range []string{"annotations", "labels"} {
			if _, _, err := unstructured.NestedStringMap(t.object, "metadata", name); err != nil {
				problems = append(problems, fmt.Sprintf("object.metadata.%s: wanted a mapping of texts", name))
			}
		}
	}
	return problems
}

// checkCargo takes the path of the text that carries the bytes.
func (t *template) checkCargo(path string) []string {
	t.cargo = strings.Split(path, ".")
	if slices.Contains(t.cargo, "") || t.cargo[0] == "metadata" || t.cargo[0] == "apiVersion" || t.cargo[0] == "kind" {
		return []string{fmt.Sprintf("cargo: %q is not the path of a text in the object: write one such as spec.payload", path)}
	}
	at := any(t.object)
	for i, name := range t.cargo {
		m, ok := at.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("cargo: object.%s is no mapping", strings.Join(t.cargo[:i], "."))}
		}
		if at, ok = m[name]; !ok {
			return nil // it is made
		}
	}
	if _, ok := at.(string); !ok {
		return []string{fmt.Sprintf("cargo: object.%s is no text", path)}
	}
	return nil
}

// checkDefinition takes the definition of the resource.
func (t *template) checkDefinition(n *strict.Node) []string {
	d, ok := n.Value().(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("definition: wanted a mapping, found %s", n.Found())}
	}
	u := unstructured.Unstructured{Object: d}
	if u.GroupVersionKind() != definitionKind {
		return []string{fmt.Sprintf("definition: is no %s of %s", definitionKind.Kind, definitionKind.GroupVersion())}
	}
	group, _, _ := unstructured.NestedString(d, "spec", "group")
	plural, _, _ := unstructured.NestedString(d, "spec", "names", "plural")
	name := plural + "." + group
	t.definition = d
	switch {
	case group == "" || plural == "":
		return []string{"definition: names no resource: spec.group and spec.names.plural must be given"}
	case u.GetName() != name:
		return []string{fmt.Sprintf("definition: metadata.name is %q, but must be %s, of spec.names.plural and spec.group", u.GetName(), name)}
	}
	if of, at := schema.ParseResourceArg(t.name); at.String() != name && (of == nil || of.GroupResource().String() != name) {
		return []string{fmt.Sprintf("resource: is not what the definition defines: write %s", name)}
	}
	return nil
}

// encode returns an object as a request's body, in JSON.
func (t *template) encode(meta metav1.ObjectMeta, cargo string) ([]byte, error) {
	u := unstructured.Unstructured{Object: runtime.DeepCopyJSON(t.object)}
	u.SetName(meta.Name)
	u.SetNamespace(meta.Namespace)
	u.SetResourceVersion(meta.ResourceVersion)
	labels := u.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	for k, v := range meta.Labels {
		labels[k] = v
	}
	u.SetLabels(labels)
	switch {
	case t.cargo != nil:
		if err := unstructured.SetNestedField(u.Object, cargo, t.cargo...); err != nil {
			return nil, fmt.Errorf("cargo: %w", err)
		}
	case cargo != "":
		annotations := u.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[cargoAnnotation] = cargo
		u.SetAnnotations(annotations)
	}
	body, err := json.Marshal(u.Object)
	if err != nil {
		return nil, fmt.Errorf("encode an object: %w", err)
	}
	return body, nil
}

// head is how many bytes of the API server's answer reach as far as the
// resourceVersion: it stands behind the annotations, and who managed which
// field, of which there are as many as the object has.
func (t *template) head(limit unit.Size) int64 {
	n := int64(64<<10 + 8*t.size)
	if t.cargo == nil {
		n += limit.Bytes()
	}
	return n
}
