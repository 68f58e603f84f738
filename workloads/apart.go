package workloads

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/storm-harness/storm/internal/apart"
)

// confine keeps a load's pods on simulated nodes, where the cluster has others.
func confine(env *Env, spec corev1.PodSpec) corev1.PodSpec {
	if env.Access.RealNodes {
		apart.Confine(&spec)
	}
	return spec
}

// podsOf gives the place of the pod's spec in what makes pods, by group and
// kind. What a custom resource's own controller makes of it nobody can know.
var podsOf = map[string]string{
	"/Pod":                   "spec",
	"/ReplicationController": "spec.template.spec",
	"apps/DaemonSet":         "spec.template.spec",
	"apps/Deployment":        "spec.template.spec",
	"apps/ReplicaSet":        "spec.template.spec",
	"apps/StatefulSet":       "spec.template.spec",
	"batch/CronJob":          "spec.jobTemplate.spec.template.spec",
	"batch/Job":              "spec.template.spec",
}

// confine does the same to a scenario's own manifest.
func (t *template) confine(group, kind string) error {
	path, makes := podsOf[group+"/"+kind]
	if !makes {
		return nil
	}
	at := strings.Split(path, ".")
	spec, found, err := unstructured.NestedMap(t.object, at...) // a copy
	if err != nil || !found {
		return fmt.Errorf("object: a %s is to have %s", kind, path)
	}
	if name, named := spec["nodeName"]; named {
		return fmt.Errorf("object.%s.nodeName: on this cluster, which has real nodes, storm's pods go to simulated ones alone: leave %v to the scheduler", path, name)
	}
	selector, _, err := unstructured.NestedStringMap(spec, "nodeSelector")
	if err != nil {
		return fmt.Errorf("object.%s.nodeSelector: wanted a mapping of texts", path)
	}
	if selector == nil {
		selector = map[string]string{}
	}
	selector[apart.Key] = apart.Value
	if err := unstructured.SetNestedStringMap(spec, selector, "nodeSelector"); err != nil {
		return fmt.Errorf("object.%s: %w", path, err)
	}
	tolerations, _, err := unstructured.NestedSlice(spec, "tolerations")
	if err != nil {
		return fmt.Errorf("object.%s.tolerations: wanted a list", path)
	}
	tolerated := apart.Toleration()
	tolerations = append(tolerations, map[string]any{"key": tolerated.Key, "operator": string(tolerated.Operator), "effect": string(tolerated.Effect)})
	if err := unstructured.SetNestedSlice(spec, tolerations, "tolerations"); err != nil {
		return fmt.Errorf("object.%s: %w", path, err)
	}
	return unstructured.SetNestedMap(t.object, spec, at...)
}
