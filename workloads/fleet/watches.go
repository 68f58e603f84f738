package fleet

import (
	"net/url"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/reflector"
)

// watchKind is one of the things that a node watches.
type watchKind struct {
	name     string // in a scenario
	path     string // empty: by the namespace and the name of what is referred to
	resource string // as the API server's metrics name it
	selector string // encoded; NODE stands for the node's name
	proxy    bool   // it is the kube-proxy's, not the kubelet's
}

// scope is the kind's in the API server's metrics: what is selected by its name is
// one resource.
func (k watchKind) scope() string {
	if k.selector == ofThisNode || k.path == "" {
		return "resource"
	}
	return "cluster"
}

// serviceProxy is the label selector of kube-proxy's informers: neither
// headless services nor those that another proxy serves.
var serviceProxy = "labelSelector=" + url.QueryEscape("!service.kubernetes.io/headless,!service.kubernetes.io/service-proxy-name")

const ofThisNode = "fieldSelector=metadata.name%3DNODE"

// watchKinds are what a kubelet and a kube-proxy keep watches of for as long as
// they live. The kubelet's are in k8s.io/kubernetes pkg/kubelet (kubelet.go,
// config/apiserver.go, runtimeclass, volume/csi), the kube-proxy's in
// cmd/kube-proxy/app and pkg/proxy/config. One line a kind.
var watchKinds = []watchKind{
	{"node", "/api/v1/nodes", "nodes", ofThisNode, false},
	{"pods", "/api/v1/pods", "pods", "fieldSelector=spec.nodeName%3DNODE", false},
	{"services", "/api/v1/services", "services", "fieldSelector=spec.clusterIP%21%3DNone", false},
	{"runtimeClasses", "/apis/node.k8s.io/v1/runtimeclasses", "runtimeclasses.node.k8s.io", "", false},
	{"csiDrivers", "/apis/storage.k8s.io/v1/csidrivers", "csidrivers.storage.k8s.io", "", false},
	{"proxyServices", "/api/v1/services", "services", serviceProxy, true},
	{"proxyEndpointSlices", "/apis/discovery.k8s.io/v1/endpointslices", "endpointslices.discovery.k8s.io", serviceProxy, true},
	{"proxyNode", "/api/v1/nodes", "nodes", ofThisNode, true},
	{"proxyServiceCIDRs", "/apis/networking.k8s.io/v1/servicecidrs", "servicecidrs.networking.k8s.io", "", true},
}

// Watches returns the names of what a node can watch; all of them are what a
// real one does.
func Watches() []string {
	var names []string
	for _, k := range watchKinds {
		names = append(names, k.name)
	}
	return names
}

// watched is a kind with what its reflectors share.
type watched struct {
	watchKind
	shared *reflector.Shared
}

// watchKinds returns the kinds that this fleet's nodes watch.
func (f *Fleet) watchKinds() []*watched {
	var out []*watched
	for _, k := range watchKinds {
		for _, name := range f.cfg.Watches {
			if name == k.name {
				out = append(out, f.watched(k))
			}
		}
	}
	return out
}

func (f *Fleet) watched(k watchKind) *watched {
	of := func(verb, via string) *measure.Series {
		detail := "kubelet"
		if k.proxy {
			detail = "kube-proxy"
		}
		return f.env.Recorder.Series(rundir.Key{Workload: f.env.Workload, Verb: verb, Resource: k.resource, Scope: k.scope(), Via: via, Detail: detail})
	}
	return &watched{k, &reflector.Shared{
		Clock: f.env.Clock, Agenda: f.agenda, Seed: f.env.Seed,
		Streaming: !f.cfg.List, Rewatch: f.cfg.Rewatch, Objects: k.name == "pods", JSON: f.cfg.JSON,
		List: of("list", ""), Watch: of("watch", ""), Sync: of("sync", ViaWatch),
	}}
}

// The kinds of what pods refer to, in Fleet.refs.
const (
	refConfigMap = iota
	refSecret
)

// referenceKinds are watched by name, while a pod on the node needs them.
func (f *Fleet) referenceKinds() [2]*watched {
	return [2]*watched{
		refConfigMap: f.watched(watchKind{name: "configMap", resource: "configmaps"}),
		refSecret:    f.watched(watchKind{name: "secret", resource: "secrets"}),
	}
}

// proxyUser is who every kube-proxy is.
var proxyUser = client.User{Name: "system:kube-proxy"}
