package workloads

import (
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/apart"
)

// Every kind of load says beforehand what it makes.
func TestEveryLoadTellsWhatItMakes(t *testing.T) {
	readers := []string{"list", "informers"}
	for kind, make := range Kinds {
		load := make()
		m, ok := load.(Maker)
		if !ok {
			t.Errorf("%s does not tell what it makes", kind)
			continue
		}
		if p, is := load.(*Preload); is {
			p.Objects = []PreloadObjects{{Shape: Shape{Resource: "widgets"}, Count: 10, Namespaces: 2}}
		}
		if o, is := load.(*ObjectChurn); is {
			o.Resource = "configmaps"
		}
		made := m.Makes("x")
		if len(made) == 0 != slices.Contains(readers, kind) {
			t.Errorf("%s makes %v", kind, made)
		}
		for _, one := range append(made, MadeBy("x", load)...) {
			if one.Resource == "" || one.Where == "" || one.Many == "" {
				t.Errorf("%s: it is not said what, where and how many: %+v", kind, one)
			}
			if slices.Contains([]string{"namespaces", "nodes"}, one.Resource) && !strings.HasPrefix(one.Where, "storm-") {
				t.Errorf("%s: a name that is not storm's: %+v", kind, one)
			}
		}
	}
}

// Loads that need what only storm's own clusters have say so.
func TestNeedyLoads(t *testing.T) {
	for name, c := range map[string]struct {
		load Workload
		want []clusters.Capability
	}{
		"nodes that share connections": {&Nodes{Connections: "shared"}, nil},
		"nodes with their own":         {&Nodes{Connections: "perNode"}, []clusters.Capability{clusters.CanIssue}},
		"etcd itself":                  {&EtcdDirect{}, []clusters.Capability{clusters.CanEtcd}},
	} {
		if got := c.load.(Needy).Needs(); !slices.Equal(got, c.want) {
			t.Errorf("%s: needs %v, want %v", name, got, c.want)
		}
	}
}

// Where there are real nodes, a load's pods go to simulated ones alone.
func TestPodsAreConfined(t *testing.T) {
	if plain := confine(&Env{}, Pausing{}.pod()); plain.NodeSelector != nil || plain.Tolerations != nil {
		t.Errorf("on storm's own cluster: %v", plain)
	}
	beside := &Env{Access: clusters.Access{RealNodes: true}}
	if spec := confine(beside, Pausing{}.pod()); !maps.Equal(spec.NodeSelector, map[string]string{apart.Key: apart.Value}) || !apart.Draws(spec) {
		t.Errorf("beside real nodes: %v", spec)
	}
	if job := (&Jobs{}).job(beside, "ns", "n"); !apart.Draws(job.Spec.Template.Spec) {
		t.Errorf("a Job's pods: %v", job.Spec.Template.Spec)
	}
}

// So do those of a scenario's own manifest; one that names its node is refused.
func TestPodsOfAManifestAreConfined(t *testing.T) {
	for _, c := range []struct{ group, kind, object, at, wrong string }{
		{"", "Pod", "{spec: {containers: []}}", "spec", ""},
		{"apps", "Deployment", "{spec: {template: {spec: {nodeSelector: {disk: ssd}}}}}", "spec.template.spec", ""},
		{"batch", "CronJob", "{spec: {jobTemplate: {spec: {template: {spec: {tolerations: [{operator: Exists}]}}}}}}", "spec.jobTemplate.spec.template.spec", ""},
		{"", "Pod", "{spec: {nodeName: real}}", "", "leave real to the scheduler"},
		{"apps", "DaemonSet", "{spec: {}}", "", "is to have spec.template.spec"},
		{"", "ConfigMap", "{data: {}}", "", ""},
	} {
		object := node(t, c.object).Value().(map[string]any)
		tm := &template{object: object}
		err := tm.confine(c.group, c.kind)
		switch {
		case c.wrong != "":
			if err == nil || !strings.Contains(err.Error(), c.wrong) {
				t.Errorf("%s: %v, want %q", c.kind, err, c.wrong)
			}
			continue
		case err != nil:
			t.Errorf("%s: %v", c.kind, err)
			continue
		case c.at == "":
			continue
		}
		spec := any(tm.object)
		for name := range strings.SplitSeq(c.at, ".") {
			spec = spec.(map[string]any)[name]
		}
		pod := spec.(map[string]any)
		selector := pod["nodeSelector"].(map[string]any)
		tolerations := pod["tolerations"].([]any)
		last := tolerations[len(tolerations)-1].(map[string]any)
		if selector[apart.Key] != apart.Value || last["key"] != apart.Key || last["effect"] != string(corev1.TaintEffectNoSchedule) {
			t.Errorf("%s: %v", c.kind, pod)
		}
	}
}
