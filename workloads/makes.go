package workloads

import (
	"fmt"

	"github.com/storm-harness/storm/internal/remains"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/workloads/fleet"
)

// Made is objects of one kind that a load makes, told before it does.
type Made struct {
	Resource string // as kubectl names it: leases.coordination.k8s.io
	Where    string // the namespaces, or the names of objects that are in none
	Many     string // how many: "1,000", "up to 200/s"
}

// Maker is a load as it says beforehand what it makes; name is its own. Every
// kind of load is one: nothing is to be made in somebody's cluster that was not
// told.
type Maker interface{ Makes(name string) []Made }

// MadeBy is all that storm makes for a load: what it says itself, and its
// service account.
func MadeBy(name string, w Workload) []Made {
	own := objectName(name)
	out := []Made{
		{"namespaces", loadsNamespace, "1"},
		{"serviceaccounts", loadsNamespace, "1: " + own},
		{"clusterrolebindings.rbac.authorization.k8s.io", own, "1, to cluster-admin"},
	}
	if m, ok := w.(Maker); ok {
		out = append(out, m.Makes(name)...)
	}
	return out
}

// spread is the names of some numbered things: the first … the last.
func spread(names []string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		return names[0] + " … " + names[n-1]
	}
}

// madeNamespaces is the namespaces of a load.
func madeNamespaces(name string, count int) Made {
	return Made{"namespaces", spread(namespaces(name, count)), unit.Grouped(count)}
}

// Makes implements Maker.
func (n *Nodes) Makes(name string) []Made {
	first := fleet.Name(objectName(name), 0)
	names, many := first, unit.Grouped(n.Count)
	if n.Count > 1 {
		names += " … " + fleet.Name(objectName(name), n.Count-1)
	}
	out := []Made{
		{"nodes", names, many},
		{"csinodes.storage.k8s.io", names, many},
		{"leases.coordination.k8s.io", remains.NodeLeases, many},
	}
	if n.Pods.Events && !n.Pods.Off {
		out = append(out, Made{"events", "where its pods are", "3 a pod that starts, 1 that stops"})
	}
	return out
}

// Makes implements Maker.
func (e *EventChurn) Makes(name string) []Made {
	return []Made{
		madeNamespaces(name, e.Namespaces),
		{"events", spread(namespaces(name, e.Namespaces)), "at " + e.Rate.Phrase()},
	}
}

// Makes implements Maker: it only reads.
func (l *List) Makes(string) []Made { return nil }

// Makes implements Maker: it only reads.
func (n *Informers) Makes(string) []Made { return nil }

// Makes implements Maker.
func (d *Deployments) Makes(name string) []Made {
	ns := objectName(name)
	return []Made{
		madeNamespaces(name, 1),
		{"deployments.apps", ns, unit.Grouped(d.Count)},
		{"pods", ns, fmt.Sprintf("%s by their controllers, half as many again where they are scaled", unit.Grouped(d.Count*d.Replicas))},
	}
}

// Makes implements Maker.
func (r *RogueDaemonSet) Makes(name string) []Made {
	ns := objectName(name)
	return []Made{
		madeNamespaces(name, 1),
		{"serviceaccounts", ns, "1: " + rogueAccount},
		{"clusterroles.rbac.authorization.k8s.io", ns + "-" + rogueAccount, "1"},
		{"clusterrolebindings.rbac.authorization.k8s.io", ns + "-" + rogueAccount, "1"},
	}
}

// Makes implements Maker.
func (j *Jobs) Makes(name string) []Made {
	ns := objectName(name)
	return []Made{
		madeNamespaces(name, 1),
		{"jobs.batch", ns, "at " + j.Rate.Phrase()},
		{"pods", ns, fmt.Sprintf("%d a Job, by its controller", j.Completions)},
	}
}

// Makes implements Maker.
func (s *Stages) Makes(name string) []Made {
	most := s.scaled(s.Stages[len(s.Stages)-1].Pods)
	ns := objectName(name)
	return []Made{
		madeNamespaces(name, 1),
		{"deployments.apps", ns, fmt.Sprintf("about %s", unit.Grouped((most+s.replicas()-1)/s.replicas()))},
		{"pods", ns, unit.Grouped(most) + " by their controllers"},
	}
}

// Makes implements Maker.
func (n *NamespaceChurn) Makes(name string) []Made {
	where := objectName(name) + "-…"
	return []Made{
		{"namespaces", where, fmt.Sprintf("at %s, each deleted after %s", n.Rate.Phrase(), n.Life)},
		{"configmaps", where, fmt.Sprintf("%d a namespace", n.ConfigMaps)},
		{"secrets", where, fmt.Sprintf("%d a namespace", n.Secrets)},
	}
}

// Makes implements Maker.
func (w *Watchers) Makes(name string) []Made {
	return []Made{madeNamespaces(name, 1), {w.Resource, objectName(name), unit.Grouped(w.Objects)}}
}

// Makes implements Maker.
func (o *ObjectChurn) Makes(name string) []Made {
	return o.foretold(name, o.Namespaces, "up to "+unit.Grouped(o.Population)+" at once")
}

// Makes implements Maker.
func (p *Preload) Makes(name string) []Made {
	var out []Made
	for _, o := range p.Objects {
		out = append(out, o.foretold(name, o.Namespaces, unit.Grouped(o.Count))...)
	}
	return out
}

// foretold is what objects of a shape need, and they themselves. Whether a
// scenario's own resource is in namespaces the API server says when it is asked.
func (s *Shape) foretold(name string, namespaced int, many string) []Made {
	where := spread(namespaces(name, namespaced))
	out := []Made{madeNamespaces(name, namespaced)}
	switch {
	case s.Definition != nil:
		out = append(out, Made{"customresourcedefinitions.apiextensions.k8s.io", s.Resource, "1, unless it is there"})
	case s.Object == nil && s.Resource == resources["widgets"].name:
		out = append(out, Made{"customresourcedefinitions.apiextensions.k8s.io", "widgets." + widgetGroup, "1, unless it is there"})
	}
	if s.Object != nil {
		where += ", or named " + objectName(name) + "-… where it has no namespaces"
	}
	return append(out, Made{s.Resource, where, many})
}

// Makes implements Maker. Its keys are etcd's alone; a cluster that storm did
// not make has no such load.
func (e *EtcdDirect) Makes(name string) []Made {
	return []Made{{"keys of etcd", etcdPrefix(name) + "…", unit.Grouped(e.Keys)}}
}
