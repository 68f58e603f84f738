package main

import (
	"strings"
	"testing"

	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/workloads"
)

// What is listed beforehand is everything, once, and in the namespaces that a
// run claims.
func TestForeseen(t *testing.T) {
	s, err := scenarios.Load(scenarios.Source{Name: "x.yaml", Text: []byte(`apiVersion: storm/v1alpha1
kind: Scenario
metadata: {name: x}
spec:
  cluster: {provider: existing}
  profiles:
    - {name: few}
    - {name: many, patch: {workloads: [{name: fleet, nodes: {count: 200}}]}}
  blocks: 6
  workloads:
    - {name: fleet, nodes: {count: 100}}
    - {name: churn, eventChurn: {rate: 20/s, namespaces: 3}}
  timeline:
    - steady: 10s
  gates:
    - {metric: api.latency, stat: p99, compare: few, margin: 25%}
`)}, kinds(), scenarios.Changes{})
	if err != nil {
		t.Fatal(err)
	}
	made, err := foreseen(s)
	if err != nil {
		t.Fatal(err)
	}
	times := map[workloads.Made]int{}
	for _, m := range made {
		times[m]++
	}
	for _, want := range []workloads.Made{
		{Resource: "namespaces", Where: "storm-run", Many: "1, for the whole run"},
		{Resource: "namespaces", Where: "storm-probe", Many: "1"},
		{Resource: "namespaces", Where: "storm-churn-0 … storm-churn-2", Many: "3"},
		{Resource: "nodes", Where: "storm-fleet-00000 … storm-fleet-00099", Many: "100"},
		{Resource: "nodes", Where: "storm-fleet-00000 … storm-fleet-00199", Many: "200"},
		{Resource: "leases.coordination.k8s.io", Where: "kube-node-lease", Many: "200"},
		{Resource: "clusterrolebindings.rbac.authorization.k8s.io", Where: "storm-churn", Many: "1, to cluster-admin"},
		{Resource: "configmaps", Where: "storm-witness", Many: "at 1/s by the witness"},
	} {
		if times[want] != 1 {
			t.Errorf("%+v is listed %d times in %+v", want, times[want], made)
		}
	}
	target, err := (&providerFlags{context: "c", etcd: []string{"https://a:1,https://b:1", "events=https://c:1"}}).target(s)
	if err != nil {
		t.Fatal(err)
	}
	if target.Fleet != 200 || strings.Join(target.Names, " ") != "storm-churn storm-fleet storm-loads storm-probe storm-witness" {
		t.Errorf("target %+v", target)
	}
	if len(target.Etcd) != 2 || target.Etcd[0].Name != "main" || len(target.Etcd[0].Endpoints) != 2 || target.Etcd[1].Name != "events" {
		t.Errorf("etcd %+v", target.Etcd)
	}
}

// A profile that changes the cluster is refused: it would not be what it is
// called.
func TestAProfileThatChangesAnExistingClusterIsRefused(t *testing.T) {
	_, err := scenarios.Load(scenarios.Source{Name: "x.yaml", Text: []byte(`apiVersion: storm/v1alpha1
kind: Scenario
metadata: {name: x}
spec:
  profiles:
    - {name: stock}
    - {name: fast, patch: {cluster: {etcd: {heartbeatInterval: 50ms}}}}
  blocks: 6
  workloads:
    - {name: churn, eventChurn: {rate: 20/s}}
  timeline:
    - steady: 10s
  gates:
    - {metric: api.latency, stat: p99, compare: stock, margin: 25%}
`)}, kinds(), scenarios.Changes{Provider: "existing"})
	want := "x.yaml:7:64: spec.cluster.etcd.heartbeatInterval: cannot be set on a cluster that storm did not make: it is taken as it is (with the profile fast)"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}
