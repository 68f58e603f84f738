package remains

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
)

// Object is one that bears a run's label.
type Object struct {
	Resource        schema.GroupVersionResource
	Namespace, Name string
	Run             string // the label's value
	UID             types.UID
	Deleting        bool
}

// String is the object as kubectl names it: nodes/storm-fleet-00000.
func (o Object) String() string {
	name := o.Resource.GroupResource().String() + "/" + o.Name
	if o.Namespace != "" {
		name = o.Namespace + "/" + name
	}
	return name
}

// The resources that storm certainly makes objects of. They must be seen:
// where one may not be listed, it is not known that nothing is left.
var (
	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	pods       = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	leases     = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}
	certain    = []schema.GroupVersionResource{
		namespaces,
		{Version: "v1", Resource: "nodes"},
		{Group: "storage.k8s.io", Version: "v1", Resource: "csinodes"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"},
		{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"},
	}
)

// NodeLeases is the namespace of the nodes' leases, the only one outside of
// storm's own in which it makes objects.
const NodeLeases = "kube-node-lease"

// Cluster is a cluster in which a run's objects are looked for.
type Cluster struct {
	kube kubernetes.Interface
	meta metadata.Interface
}

// Open makes the clients; it asks nothing yet.
func Open(cfg *rest.Config) (*Cluster, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.Timeout = askFor
	k, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	m, err := metadata.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	return &Cluster{kube: k, meta: m}, nil
}

// clusterScoped lists every resource without namespaces of which objects can be
// deleted: loads make objects of any. A group whose own server is down is left
// out: nothing can have been made in it.
func (c *Cluster) clusterScoped() ([]schema.GroupVersionResource, error) {
	lists, err := discovery.ServerPreferredResources(c.kube.Discovery())
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, fmt.Errorf("which resources the API server has: %w", err)
	}
	out := slices.Clone(certain)
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			found := gv.WithResource(r.Name)
			known := slices.ContainsFunc(out, func(have schema.GroupVersionResource) bool { return have.GroupResource() == found.GroupResource() })
			if !r.Namespaced && !known && !strings.Contains(r.Name, "/") && slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "delete") {
				out = append(out, found)
			}
		}
	}
	return out, nil
}

// pageSize is how many objects are asked for at once.
const pageSize = 500

// errNoRun keeps an empty run id from selecting everything.
var errNoRun = errors.New("no run is named whose objects to look for")

// list lists the objects of one resource that bear the label of the run, or of
// any run where that is "*".
func (c *Cluster) list(ctx context.Context, r schema.GroupVersionResource, namespace, run string) ([]Object, error) {
	selector := RunLabel // that it is there
	switch run {
	case "":
		return nil, errNoRun
	case anyRun:
	default:
		selector = labels.Set{RunLabel: run}.AsSelector().String()
	}
	found, err := c.page(ctx, r, namespace, selector)
	// The server has selected; that each is the run's for certain is looked at again.
	return slices.DeleteFunc(found, func(o Object) bool { return o.Run == "" || run != anyRun && o.Run != run }), err
}

// anyRun is the run of Others.
const anyRun = "*"

// page lists the objects of one resource by a label selector, page by page.
func (c *Cluster) page(ctx context.Context, r schema.GroupVersionResource, namespace, selector string) ([]Object, error) {
	var out []Object
	how := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
	for {
		page, err := c.meta.Resource(r).Namespace(namespace).List(ctx, how)
		if err != nil {
			return out, fmt.Errorf("listing %s: %w", r.GroupResource(), err)
		}
		for _, m := range page.Items {
			out = append(out, Object{
				Resource: r, Namespace: m.Namespace, Name: m.Name, UID: m.UID, Run: m.Labels[RunLabel], Deleting: m.DeletionTimestamp != nil,
			})
		}
		if how.Continue = page.Continue; how.Continue == "" {
			return out, nil
		}
	}
}

// find lists what is there of a run, without what is in its namespaces. What may
// not be listed, of resources that storm does not certainly use, is passed over.
func (c *Cluster) find(ctx context.Context, run string, resources []schema.GroupVersionResource) ([]Object, error) {
	var out []Object
	for _, r := range resources {
		found, err := c.list(ctx, r, "", run)
		if err != nil && (ctx.Err() != nil || !passable(r, err)) {
			return out, err
		}
		out = append(out, found...)
	}
	found, err := c.list(ctx, leases, NodeLeases, run)
	return append(out, found...), err
}

func passable(r schema.GroupVersionResource, err error) bool {
	if apierrors.IsNotFound(err) || apierrors.IsMethodNotSupported(err) {
		return true // it is not served
	}
	return !slices.Contains(certain, r) && (apierrors.IsForbidden(err) || apierrors.IsServiceUnavailable(err))
}

// Others returns what runs other than this one have in the cluster.
func (c *Cluster) Others(ctx context.Context, run string) ([]Object, error) {
	found, err := c.find(ctx, anyRun, certain)
	return slices.DeleteFunc(found, func(o Object) bool { return o.Run == run }), err
}

// Taken returns objects that have a name of storm's and not the run's label:
// storm would take them for its own. An empty run has no objects yet.
func (c *Cluster) Taken(ctx context.Context, run string, taken func(Object) bool) ([]Object, error) {
	var out []Object
	for _, r := range certain {
		found, err := c.page(ctx, r, "", "")
		if err != nil && (ctx.Err() != nil || !passable(r, err)) {
			return out, err
		}
		out = append(out, slices.DeleteFunc(found, func(o Object) bool { return run != "" && o.Run == run || !taken(o) })...)
	}
	return out, nil
}
