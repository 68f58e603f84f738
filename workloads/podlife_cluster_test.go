//go:build cluster

package workloads

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/unit"
)

// What a simulated kubelet asks for one pod of one container with a token, by the audit
// log: docs/capacity.md holds that beside what a real one was seen to ask.
var (
	toStart = map[string]int{"get pods": 3, "patch pods/status": 3, "create events": 3, "create serviceaccounts/token": 1}
	toEnd   = map[string]int{"get pods": 3, "patch pods/status": 2, "create events": 1, "delete pods": 1}
)

func (r *real) testAPodsLife(t *testing.T) {
	const pods = 5
	l := r.put(t, "podlife", of(func(n *Nodes) {
		n.Count, n.Pods.Start, n.Pods.Stop = 1, unit.OneDuration(10*time.Second), unit.OneDuration(2*time.Second)
	}))
	nodes, err := r.kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: RunLabel + "=test-podlife"})
	if err != nil || len(nodes.Items) != 1 {
		t.Fatalf("%d nodes: %v", len(nodes.Items), err)
	}
	node := nodes.Items[0].Name
	asked := func() map[string]int {
		out := map[string]int{}
		for _, a := range r.requests(t, "podlife", func(a audited) bool {
			ended := a.Response.Code < 300 || a.Object.Resource == "pods" && a.Response.Code == http.StatusNotFound // gone, which is what it wanted to know
			return a.Stage == "ResponseComplete" && ended && a.Impersonated.Username == "system:node:"+node
		}) {
			what := a.Verb + " " + strings.TrimSuffix(a.Object.Resource+"/"+a.Object.Subresource, "/")
			if _, of := toStart[what]; of || toEnd[what] > 0 {
				out[what]++
			}
		}
		return out
	}
	times := func(of ...map[string]int) map[string]int {
		out := map[string]int{}
		for _, m := range of {
			for what, n := range m {
				out[what] += n * pods
			}
		}
		return out
	}
	holds := func(when string, want map[string]int) {
		t.Helper()
		var last map[string]int
		defer func() {
			if !maps.Equal(last, want) {
				t.Logf("asked at last: %v, want %v", last, want)
			}
		}()
		eventually(t, fmt.Sprintf("%d pods' requests %s", pods, when), func() bool {
			last = asked()
			return maps.Equal(last, want)
		})
	}
	before := asked()
	if len(before) > 0 {
		t.Fatalf("asked before there is a pod: %v", before)
	}
	all := r.kube.CoreV1().Pods("default")
	label := map[string]string{"life": "one"}
	for i := range pods {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("life-%d", i), Labels: label},
			Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "main", Image: "registry.example/life"}}},
		}
		if _, err := all.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	holds("to start", times(toStart))
	if err := all.DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "life=one"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "all pods gone", func() bool {
		left, err := all.List(t.Context(), metav1.ListOptions{LabelSelector: "life=one"})
		return err == nil && len(left.Items) == 0
	})
	holds("to start and to end", times(toStart, toEnd))
	l.end()
	l.failedOnlyEarly(t)
	if last, want := asked(), times(toStart, toEnd); !maps.Equal(last, want) { // nor anything after that
		t.Errorf("in the end: asked %v, want %v", last, want)
	}
	r.removeNodes(t, "podlife")
}
