package workloads

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/strict"
)

// resource is where a kind of object lives in the API.
type resource struct {
	group, version, name string
	namespaced           bool
}

// resources are the built-in ones by the name that a scenario uses: the
// resource alone where no other has it, as kubectl takes it.
var resources = map[string]resource{
	"pods":                      {"", "v1", "pods", true},
	"nodes":                     {"", "v1", "nodes", false},
	"namespaces":                {"", "v1", "namespaces", false},
	"events":                    {"", "v1", "events", true},
	"configmaps":                {"", "v1", "configmaps", true},
	"secrets":                   {"", "v1", "secrets", true},
	"services":                  {"", "v1", "services", true},
	"endpoints":                 {"", "v1", "endpoints", true},
	"serviceaccounts":           {"", "v1", "serviceaccounts", true},
	"persistentvolumes":         {"", "v1", "persistentvolumes", false},
	"persistentvolumeclaims":    {"", "v1", "persistentvolumeclaims", true},
	"deployments":               {"apps", "v1", "deployments", true},
	"replicasets":               {"apps", "v1", "replicasets", true},
	"statefulsets":              {"apps", "v1", "statefulsets", true},
	"daemonsets":                {"apps", "v1", "daemonsets", true},
	"jobs":                      {"batch", "v1", "jobs", true},
	"cronjobs":                  {"batch", "v1", "cronjobs", true},
	"leases":                    {"coordination.k8s.io", "v1", "leases", true},
	"endpointslices":            {"discovery.k8s.io", "v1", "endpointslices", true},
	"csinodes":                  {"storage.k8s.io", "v1", "csinodes", false},
	"runtimeclasses":            {"node.k8s.io", "v1", "runtimeclasses", false},
	"customresourcedefinitions": {"apiextensions.k8s.io", "v1", "customresourcedefinitions", false},
	"widgets":                   {widgetGroup, "v1", "widgets", true}, // storm's own: see widgets.go
}

// fullName is resource.version.group, by which kubectl names any resource;
// such a one is taken to be in namespaces.
var fullName = regexp.MustCompile(`^([a-z][a-z0-9]*)\.(v[0-9]+(?:(?:alpha|beta)[0-9]+)?)\.([a-z0-9]([a-z0-9.-]*[a-z0-9])?)$`)

// findResource returns the resource that a scenario names: by a name of the
// table, by that name with its group (deployments.apps), or in full.
func findResource(name string) (resource, error) {
	if r, ok := resources[name]; ok {
		return r, nil
	}
	if short, group, ok := strings.Cut(name, "."); ok {
		if r, ok := resources[short]; ok && r.group == group {
			return r, nil
		}
	}
	if m := fullName.FindStringSubmatch(name); m != nil {
		r := resource{group: m[3], version: m[2], name: m[1], namespaced: true}
		if known, ok := resources[r.name]; ok && known.group == r.group {
			r.namespaced = known.namespaced
		}
		return r, nil
	}
	names := slices.Sorted(maps.Keys(resources))
	if near, ok := strict.Nearest(name, names); ok {
		return resource{}, fmt.Errorf("%q is not a known resource: did you mean %s?", name, near)
	}
	return resource{}, fmt.Errorf("%q is not a known resource: write resource.version.group, such as widgets.v1.example.com, or one of %s",
		name, strings.Join(names, ", "))
}

// String is the resource as a series names it: pods, leases.coordination.k8s.io.
func (r resource) String() string {
	if r.group == "" {
		return r.name
	}
	return r.name + "." + r.group
}

// path returns the path of the collection, in a namespace if one is given.
func (r resource) path(namespace string) string {
	root := "/apis/" + r.group
	if r.group == "" {
		root = "/api"
	}
	if namespace != "" {
		return root + "/" + r.version + "/namespaces/" + namespace + "/" + r.name
	}
	return root + "/" + r.version + "/" + r.name
}

// builtin says whether the API server itself has the resource.
func (r resource) builtin() bool {
	known, ok := resources[r.name]
	return ok && known.group == r.group || strings.HasSuffix(r.group, ".k8s.io") || !strings.Contains(r.group, ".")
}
