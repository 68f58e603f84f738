package workloads

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"github.com/storm-harness/storm/internal/strict"
	"github.com/storm-harness/storm/workloads/client"
)

// errNotServed says that the API server does not know a resource.
var errNotServed = errors.New("the API server does not serve it")

// resolve asks the API server which resource a load's manifest is of, making its
// definition before where one is given. verbs are what the load does to it.
func (k *carrier) resolve(ctx context.Context, env *Env, verbs ...string) error {
	t := k.template
	if t == nil {
		return nil
	}
	cfg := rest.CopyConfig(env.Admin)
	cfg.Timeout = patience
	if t.definition != nil {
		if err := makeDefinition(ctx, env, t.definition); err != nil {
			return err
		}
	}
	asked, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return fmt.Errorf("resource %s: %w", t.name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		groups, err := restmapper.GetAPIGroupResources(asked)
		if err == nil {
			err = k.find(env, groups, verbs)
		}
		// What was defined a moment ago shows up a moment later.
		if err == nil || !errors.Is(err, errNotServed) || t.definition == nil {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// find looks the resource up among those that the API server serves.
func (k *carrier) find(env *Env, groups []*restmapper.APIGroupResources, verbs []string) error {
	t := k.template
	mapper := restmapper.NewDiscoveryRESTMapper(groups)
	wanted, err := t.wanted()
	if err != nil {
		return err
	}
	found, err := mapper.ResourceFor(wanted)
	if err != nil {
		return fmt.Errorf("resource %s: %w: %s", t.name, errNotServed, suggestResource(t.name, groups))
	}
	served, ok := servedAs(groups, found)
	if !ok {
		return fmt.Errorf("resource %s: %w", t.name, errNotServed)
	}
	for _, v := range verbs {
		if !slices.Contains(served.Verbs, v) {
			return fmt.Errorf("resource %s: the API server offers no %s of it, but %s", t.name, v, strings.Join(served.Verbs, ", "))
		}
	}
	apiVersion := found.GroupVersion().String()
	if is, given := t.object["kind"]; given && is != served.Kind {
		return fmt.Errorf("object.kind: is %v, but %s are of the kind %s", is, t.name, served.Kind)
	}
	t.object["apiVersion"], t.object["kind"] = apiVersion, served.Kind
	if env.Access.RealNodes {
		if err := t.confine(found.Group, served.Kind); err != nil {
			return err
		}
	}
	k.resource = resource{group: found.Group, version: found.Version, name: found.Resource, namespaced: served.Namespaced}
	return nil
}

// wanted is the resource as far as the scenario says it: its name, its group and
// version, or those of the object.
func (t *template) wanted() (schema.GroupVersionResource, error) {
	full, short := schema.ParseResourceArg(t.name)
	out := short.WithVersion("")
	if full != nil && fullName.MatchString(t.name) {
		out = *full
	}
	text, given := t.object["apiVersion"].(string)
	if !given {
		return out, nil
	}
	of, err := schema.ParseGroupVersion(text)
	if err != nil {
		return out, fmt.Errorf("object.apiVersion: %w", err)
	}
	if out.Group != "" && out.Group != of.Group || out.Version != "" && out.Version != of.Version {
		return out, fmt.Errorf("object.apiVersion: is %s, but the resource is %s", text, t.name)
	}
	out.Group, out.Version = of.Group, of.Version
	return out, nil
}

// servedAs is what the API server says of a resource.
func servedAs(groups []*restmapper.APIGroupResources, r schema.GroupVersionResource) (metav1.APIResource, bool) {
	for _, g := range groups {
		if g.Group.Name != r.Group {
			continue
		}
		for _, served := range g.VersionedResources[r.Version] {
			if served.Name == r.Resource {
				return served, true
			}
		}
	}
	return metav1.APIResource{}, false
}

// suggestResource names what an unknown resource was most likely meant to be.
func suggestResource(name string, groups []*restmapper.APIGroupResources) string {
	known := map[string]bool{}
	short, _, _ := strings.Cut(name, ".")
	var alike []string
	for _, g := range groups {
		for _, list := range g.VersionedResources {
			for _, r := range list {
				full := schema.GroupResource{Group: g.Group.Name, Resource: r.Name}.String()
				if strings.Contains(r.Name, "/") || known[full] {
					continue
				}
				known[full] = true
				if r.Name == short {
					alike = append(alike, full)
				}
			}
		}
	}
	slices.Sort(alike)
	if len(alike) > 0 {
		return "did you mean " + strings.Join(alike, " or ") + "?"
	}
	if near, ok := strict.Nearest(name, slices.Sorted(maps.Keys(known))); ok {
		return "did you mean " + near + "?"
	}
	return "give its definition, or one of the resources that kubectl api-resources shows"
}

// tryOut has the API server validate an object of a load strictly, without
// making it: a field that it does not know would otherwise be dropped, and one
// that it refuses would fail in the load.
func (o *objects) tryOut(ctx context.Context) error {
	body, err := o.encode(&member{n: 0}, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		return err
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(body); err != nil {
		return fmt.Errorf("object: %w", err)
	}
	u.SetName(objectName(o.env.Name) + "-check")
	r := o.kind.resource
	return submit(ctx, o.env, schema.GroupVersionResource{Group: r.group, Version: r.version, Resource: r.name}, u,
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
}

// submit creates an object and goes on trying while the API server says what may
// change; one that is there already is as good. Unlike insist it tells what the
// server finds wrong, in its words.
func submit(ctx context.Context, env *Env, r schema.GroupVersionResource, u *unstructured.Unstructured, how metav1.CreateOptions) error {
	cfg := rest.CopyConfig(env.Admin)
	cfg.Timeout = patience
	c, err := dynamic.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("%s: %w", r.Resource, err)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		_, err := c.Resource(r).Namespace(u.GetNamespace()).Create(ctx, u, how)
		switch {
		case err == nil || apierrors.IsAlreadyExists(err):
			return nil
		case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsMethodNotSupported(err),
			apierrors.IsRequestEntityTooLargeError(err):
			return fmt.Errorf("the API server refuses an object of %s: %w", r.GroupResource(), err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("an object of %s: still %w when storm gave up", r.GroupResource(), err)
		}
	}
}

// makeDefinition makes the definition of a custom resource, where it is not
// there yet, and waits until the API server has accepted it.
func makeDefinition(ctx context.Context, env *Env, definition map[string]any) error {
	u := &unstructured.Unstructured{Object: definition}
	labels := u.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[RunLabel] = env.RunID
	u.SetLabels(labels)
	r := schema.GroupVersionResource{Group: definitionKind.Group, Version: definitionKind.Version, Resource: "customresourcedefinitions"}
	if err := submit(ctx, env, r, u, metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict}); err != nil {
		return fmt.Errorf("definition: %w", err)
	}
	c, err := client.New(env.Admin, env.Clock, patience)
	if err != nil {
		return fmt.Errorf("definition: %w", err)
	}
	defer c.Close()
	return established(ctx, c, u.GetName())
}
