package local

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"

	"github.com/storm-harness/storm/clusters"
)

// applyObjects makes the spec's objects in a new cluster, in their order, before
// the golden copy is taken. Each trial's servers start with them: an API server
// answers nothing before it has read its webhooks and policies. A kind that
// another object defines is waited for.
func (c *Cluster) applyObjects(ctx context.Context) error {
	objects := c.Spec().Kubernetes.Objects
	if len(objects) == 0 {
		return nil
	}
	client, err := dynamic.NewForConfig(c.Access().REST)
	if err != nil {
		return err
	}
	d, err := discovery.NewDiscoveryClientForConfig(c.Access().REST)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d))
	for _, o := range objects {
		if err := c.applyObject(ctx, client, mapper, o); err != nil {
			return fmt.Errorf("the object %s of the cluster: %w", o.Name, err)
		}
	}
	c.o.Sink(clusters.Event{Text: fmt.Sprintf("%d objects of the scenario's own applied", len(objects))})
	return nil
}

func (c *Cluster) applyObject(ctx context.Context, client dynamic.Interface, mapper meta.ResettableRESTMapper, o clusters.Object) error {
	u := &unstructured.Unstructured{Object: o.Manifest}
	kind := u.GroupVersionKind()
	var mapping *meta.RESTMapping
	if err := c.patiently(ctx, func(context.Context) (err error) {
		if mapping, err = mapper.RESTMapping(kind.GroupKind(), kind.Version); meta.IsNoMatchError(err) {
			mapper.Reset() // a definition may just have been taken
		}
		return err
	}); err != nil {
		return err
	}
	var resource dynamic.ResourceInterface = client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		namespace := u.GetNamespace()
		if namespace == "" {
			namespace = metav1.NamespaceDefault
		}
		resource = client.Resource(mapping.Resource).Namespace(namespace)
	}
	_, err := resource.Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: "storm", Force: true})
	return err
}

// objectsText tells the objects of one spec from another's.
func objectsText(k clusters.Kubernetes) string {
	if len(k.Objects) == 0 {
		return ""
	}
	text, _ := json.Marshal(k.Objects) // plain data, as it was read
	return string(text)
}
