package clusters

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// objects checks what can be told of an object without a server.
func (c *specCheck) objects(k Kubernetes) {
	seen := map[string]string{}
	for i, o := range k.Objects {
		at := fmt.Sprintf("kubernetes.objects[%d]", i)
		u := unstructured.Unstructured{Object: o.Manifest}
		gv, err := schema.ParseGroupVersion(u.GetAPIVersion())
		switch {
		case u.GetAPIVersion() == "" || u.GetKind() == "":
			c.bad(at+".manifest", "says no apiVersion or no kind: write the object as kubectl apply takes it")
			continue
		case err != nil:
			c.bad(at+".manifest.apiVersion", "%s", err)
			continue
		case u.GetName() == "":
			c.bad(at+".manifest.metadata.name", "is missing: the object needs a name")
			continue
		case gv.Group == "flowcontrol.apiserver.k8s.io":
			c.bad(at+".manifest.kind", "%s has a place of its own: write it under priorityLevels or flowSchemas, which are proven to be in force", u.GetKind())
		}
		id := fmt.Sprintf("%s %s %s/%s", gv.Group, u.GetKind(), u.GetNamespace(), u.GetName())
		if first, twice := seen[id]; twice {
			c.bad(at+".manifest", "%s %s is described by %s already", u.GetKind(), u.GetName(), first)
		}
		seen[id] = o.Name
	}
}
