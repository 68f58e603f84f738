// Package objects gives a cluster the objects that a spec wants it to have from
// the start.
package objects

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
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/ready"
	"github.com/storm-harness/storm/internal/unit"
)

// Apply makes a spec's objects in a new cluster, in their order, before the golden
// copy is taken. Each trial's servers start with them: an API server takes no write
// before it has read its webhooks. A kind that another object defines is waited for.
func Apply(ctx context.Context, config *rest.Config, k clusters.Kubernetes, sink clusters.Sink) error {
	if len(k.Objects) == 0 {
		return nil
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d))
	for _, o := range k.Objects {
		if err := apply(ctx, client, mapper, o); err != nil {
			return fmt.Errorf("the object %s of the cluster: %w", o.Name, err)
		}
	}
	sink(clusters.Event{Text: unit.Count(len(k.Objects), "object") + " of the scenario's own applied"})
	return nil
}

func apply(ctx context.Context, client dynamic.Interface, mapper meta.ResettableRESTMapper, o clusters.Object) error {
	u := &unstructured.Unstructured{Object: o.Manifest}
	kind := u.GroupVersionKind()
	var mapping *meta.RESTMapping
	if err := ready.Patiently(ctx, func(context.Context) (err error) {
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

// Text tells the objects of one spec from another's.
func Text(k clusters.Kubernetes) string {
	if len(k.Objects) == 0 {
		return ""
	}
	text, _ := json.Marshal(k.Objects) // plain data, as it was read
	return string(text)
}
