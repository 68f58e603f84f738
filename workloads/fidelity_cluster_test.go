//go:build cluster

package workloads

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/workloads/fleet"
)

// A node and its kube-proxy keep these watches, by what the API server calls
// them; the fleet's observer adds one of pods.
var nodeWatches = map[string]int{
	"nodes": 2, "pods": 1, "services": 2, "runtimeclasses": 1, "csidrivers": 1, "endpointslices": 1, "servicecidrs": 1,
}

// The server's own count of open watches, of requests, and its audit log agree
// with what the model of a node says, whoever's connections they come over.
func (r *real) testFidelity(t *testing.T) {
	const nodes = 20
	for connections, own := range map[string]int{"shared": 0, "perNode": 1, "perProcess": 2} { // a node
		for _, sync := range []string{"watchList", "list"} {
			name := strings.ToLower("f-" + connections + "-" + sync)
			t.Run(connections+" "+sync, func(t *testing.T) {
				open := func() map[string]float64 {
					out := map[string]float64{}
					for resource := range nodeWatches {
						out[resource] = r.metric(t, "apiserver_longrunning_requests", map[string]string{"verb": "WATCH", "resource": resource})
					}
					return out
				}
				if own == 2 && sync == "list" {
					t.Skip("a node lists over its connections as it streams")
				}
				before, counted, sockets := open(), r.countsOfNodes(t), openSockets(t)
				l := r.put(t, name, of(func(n *Nodes) { n.Count, n.Connections, n.Sync = nodes, connections, sync }))
				opened := func() map[string]float64 {
					more := open()
					for resource, n := range before {
						more[resource] -= n
					}
					return more
				}
				want := map[string]float64{}
				for resource, each := range nodeWatches {
					want[resource] = float64(each * nodes)
				}
				want["pods"]++ // the observer's
				var last map[string]float64
				t.Cleanup(func() {
					if t.Failed() {
						t.Logf("more watches at last: %v, the model: %v", last, want)
					}
				})
				// Controllers open some of their watches late: the audit log says
				// exactly whose they are.
				eventually(t, "the server counting what a node watches", func() bool {
					last = opened()
					for resource, n := range want {
						if last[resource] < n || last[resource] > n+5 {
							return false
						}
					}
					return true
				})
				if more := openSockets(t) - sockets; own > 0 && more < own*nodes || more >= (own+1)*nodes {
					t.Errorf("%d sockets more for %d nodes", more, nodes)
				}
				r.whoAsked(t, name, own > 0, nodes)
				r.countedAs(t, counted, nodes)
				l.end()
				r.removeNodes(t, name)
				if f := l.failures(); len(f) > 0 {
					t.Errorf("failures: %v", f)
				}
				lists := len(r.requests(t, name, func(a audited) bool { return a.Verb == "list" }))
				allLists := 0
				if sync == "list" {
					allLists = nodes*len(fleet.Watches()) + 1
				}
				if lists != allLists {
					t.Errorf("%d lists, want %d", lists, allLists)
				}
				eventually(t, "all of it closed", func() bool {
					for _, left := range opened() {
						if left > 5 {
							return false
						}
					}
					return openSockets(t) <= sockets+nodes/4 // others come and go
				})
			})
		}
	}
}

// removeNodes removes the Nodes of a load that has ended: nobody is there any
// more to run what would be scheduled on them.
func (r *real) removeNodes(t *testing.T, workload string) {
	t.Helper()
	all := metav1.ListOptions{LabelSelector: RunLabel + "=test-" + workload}
	if err := r.kube.CoreV1().Nodes().DeleteCollection(t.Context(), metav1.DeleteOptions{}, all); err != nil {
		t.Error(err)
	}
}

// whoAsked holds the audit log against who a node and its kube-proxy are.
func (r *real) whoAsked(t *testing.T, workload string, certificates bool, nodes int) {
	t.Helper()
	asked := map[string]int{}
	for _, a := range r.requests(t, workload, func(a audited) bool {
		return a.Stage == "ResponseStarted" || a.Stage == "ResponseComplete" && a.Verb != "watch"
	}) {
		who := a.Impersonated.Username
		if certificates {
			// The server's version and the pods are looked at as the load's own account.
			if who != "" && a.URI != "/version" && a.Object.Resource != "pods" && a.Object.Namespace != loadsNamespace {
				t.Errorf("with certificates, %s was impersonated for %s", who, a.URI)
			}
			who = a.User.Username
		}
		if name, is := strings.CutPrefix(who, "system:node:"); is {
			if a.Object.Name != "" && a.Object.Name != name {
				t.Errorf("the node %s asked for the %s %s", name, a.Object.Resource, a.Object.Name)
			}
			who = "a node"
		}
		asked[fmt.Sprintf("%s: %s %s", who, a.Verb, a.Object.Resource)]++
	}
	want := []string{"a node: create nodes", "a node: create csinodes", "a node: create leases"}
	for _, resource := range []string{"nodes", "pods", "services", "runtimeclasses", "csidrivers"} {
		want = append(want, "a node: watch "+resource)
	}
	for _, resource := range []string{"nodes", "services", "endpointslices", "servicecidrs"} {
		want = append(want, "system:kube-proxy: watch "+resource)
	}
	// And nothing else, but for what is done again and again, and lists where they
	// are not streamed.
	model := map[string]bool{"a node: get leases": true, "a node: update leases": true, "a node: patch nodes": true, "a node: get nodes": true}
	for _, w := range want {
		if asked[w] != nodes {
			t.Errorf("%s: %d times, want %d", w, asked[w], nodes)
		}
		model[w], model[strings.Replace(w, "watch", "list", 1)] = true, true
	}
	for what, n := range asked {
		if who, _, _ := strings.Cut(what, ":"); (who == "a node" || who == "system:kube-proxy") && !model[what] {
			t.Errorf("%s: %d times, and no kubelet does that here", what, n)
		}
	}
}

// levels are where the API server's own flow schemas put what nodes and their
// kube-proxies ask for, by schema and priority level.
var levels = [][2]string{{"system-node-high", "node-high"}, {"system-nodes", "system"}, {"global-default", "global-default"}}

// countsOfNodes are the server's counts of what nobody but nodes does here: requests
// by verb and resource, and what the levels of priority and fairness let through.
func (r *real) countsOfNodes(t *testing.T) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	for _, resource := range []string{"nodes", "csinodes", "leases"} {
		out["POST "+resource] = r.metric(t, "apiserver_request_total", map[string]string{"verb": "POST", "resource": resource, "code": "201"})
	}
	for _, l := range levels {
		out[l[0]] = r.metric(t, "apiserver_flowcontrol_dispatched_requests_total", map[string]string{"flow_schema": l[0], "priority_level": l[1]})
	}
	return out
}

// countedAs holds what the server has counted since against the model of a node.
func (r *real) countedAs(t *testing.T, before map[string]float64, nodes int) {
	t.Helper()
	now := r.countsOfNodes(t)
	for what, want := range map[string]int{"POST nodes": 1, "POST csinodes": 1, "POST leases": 1} {
		if got := now[what] - before[what]; got != float64(want*nodes) {
			t.Errorf("the server counts %.0f %s, want %d", got, what, want*nodes)
		}
	}
	// At least: leases are renewed, and lists come with watches that are not streamed.
	for what, want := range map[string]int{
		"system-node-high": 3, // a node and its lease are created, and the node is watched
		"system-nodes":     5, // a CSINode is created; pods, Services, RuntimeClasses and CSIDrivers are watched
		"global-default":   4, // the kube-proxy's watches: it is no service account of kube-system here
	} {
		if got := now[what] - before[what]; got < float64(want*nodes) {
			t.Errorf("the flow schema %s let %.0f requests through, want %d at least", what, got, want*nodes)
		}
	}
}
