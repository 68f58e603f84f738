//go:build kind

package kind_test

import (
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/kind/kindtest"
	"github.com/storm-harness/storm/internal/docker"
)

// TestObjectsComeAndGo: each set of objects has a golden copy of its own, in the
// same containers.
func TestObjectsComeAndGo(t *testing.T) {
	none := 0
	with := func(names ...string) clusters.Spec {
		spec := clusters.Spec{Provider: "kind", Kubernetes: clusters.Kubernetes{ControllerManager: clusters.Deployment{Replicas: &none}, Scheduler: clusters.Deployment{Replicas: &none}}}
		for _, name := range names {
			spec.Kubernetes.Objects = append(spec.Kubernetes.Objects, clusters.Object{Name: name, Manifest: map[string]any{
				"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": "kube-system"},
			}})
		}
		return spec
	}
	c := kindtest.Up(t, with())
	container := func() string {
		id, err := docker.Run(t.Context(), "inspect", "--format", "{{.Id}}", c.Name()+"-control-plane")
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	before := container()
	for _, want := range [][]string{{"one"}, {"one", "two"}, {}, {"one"}} {
		configMap(t, c, "of-the-trial")
		if err := c.Reset(within(t, guard), with(want...)); err != nil {
			t.Fatal(err)
		}
		there := map[string]bool{}
		for _, name := range want {
			there[name] = true
		}
		for _, name := range []string{"one", "two"} {
			_, err := client(t, c).CoreV1().ConfigMaps("kube-system").Get(t.Context(), name, metav1.GetOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				t.Fatal(err)
			}
			if got := err == nil; got != there[name] {
				t.Errorf("after a reset to %v: %s is there: %v", want, name, got)
			}
		}
		if _, err := client(t, c).CoreV1().ConfigMaps("default").Get(t.Context(), "of-the-trial", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("after a reset to %v what the trial made is there: %v", want, err)
		}
	}
	if container() != before {
		t.Error("the node was made anew")
	}
}
