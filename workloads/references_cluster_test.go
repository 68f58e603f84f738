//go:build cluster

package workloads

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/unit"
)

// Pods that name a ConfigMap and a Secret, have a token and crash: their nodes ask
// for all of that under their own names, as the Node authorizer lets them, and no
// longer than the pods are there.
func (r *real) testReferences(t *testing.T) {
	const nodes, pods = 3, 4
	named := func(resource string) float64 { // watches of one object; controllers have some
		return r.metric(t, "apiserver_longrunning_requests", map[string]string{"verb": "WATCH", "resource": resource, "scope": "resource"})
	}
	// Those of the load before may still be closing.
	before := map[string]float64{}
	eventually(t, "the watches of single objects staying as they are", func() bool {
		last := map[string]float64{"configmaps": before["configmaps"], "secrets": before["secrets"]}
		before["configmaps"], before["secrets"] = named("configmaps"), named("secrets")
		time.Sleep(time.Second) // what does not change shows only in time
		return last["configmaps"] == before["configmaps"] && last["secrets"] == before["secrets"]
	})
	watching := func(resource string) float64 { return named(resource) - before[resource] }
	l := r.put(t, "refers", of(func(n *Nodes) {
		n.Count, n.Pods.Start, n.Pods.Stop = nodes, unit.OneDuration(100*time.Millisecond), unit.OneDuration(100*time.Millisecond)
		n.Pods.Life, n.Pods.Crash = unit.OneDuration(time.Second), 1
	}))
	// Nodes of loads that have ended are still there, and nobody is on them.
	ns := r.podsThatRefer(t, "refers", pods, map[string]string{RunLabel: "test-refers"})
	eventually(t, "each pod's back-off", func() bool { return r.tellOf(t, ns, "BackOff", 1) == pods })
	eventually(t, "each started again after it", func() bool { return r.tellOf(t, ns, "Started", 2) == pods })

	asked := func(verb, resource, sub string, code int) (n int, names map[string]bool) {
		names = map[string]bool{}
		for _, a := range r.requests(t, "refers", func(a audited) bool {
			return a.Verb == verb && a.Object.Resource == resource && a.Object.Subresource == sub && a.Object.Namespace == ns &&
				strings.HasPrefix(a.Impersonated.Username, "system:node:") && a.Response.Code == code
		}) {
			n++
			names[a.Object.Name] = true
		}
		return n, names
	}
	for resource, want := range map[string]string{"configmaps": "settings", "secrets": "password"} {
		if n, names := asked("watch", resource, "", 200); n == 0 || !names[want] {
			t.Errorf("nodes watched %d %s, %v; want %s by its name", n, resource, names, want)
		}
		if watching(resource) <= 0 {
			t.Errorf("no %s is being watched", resource)
		}
	}
	none := metav1.DeleteOptions{}
	if err := r.kube.CoreV1().Pods(ns).DeleteCollection(t.Context(), none, metav1.ListOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pods gone, and with them the watches of what they named", func() bool {
		left, err := r.kube.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
		return err == nil && len(left.Items) == 0 && watching("configmaps") == 0 && watching("secrets") == 0
	})
	l.end()
	l.failedOnlyEarly(t)
	tokens, accounts := asked("create", "serviceaccounts", "token", 201)
	if tokens < pods || !accounts["default"] {
		t.Errorf("%d tokens were requested, of %v: want one of default for each of %d pods", tokens, accounts, pods)
	}
	l.agrees("create serviceaccounts/token", tokens, l.soFar("create", "serviceaccounts/token", "").OK)
	r.removeNodes(t, "refers")
}

// failedOnlyEarly wants no failures but those of kubelets that were ahead of the
// authorizer: that learns by a watch of its own which node a pod is on, and may be behind
// the node's; then a kubelet asks once more.
func (l *load) failedOnlyEarly(t *testing.T) {
	t.Helper()
	for what, n := range l.failures() {
		if what != "watch configmaps: 403 unrelated" && what != "watch secrets: 403 unrelated" {
			t.Errorf("%s: %d times", what, n)
		}
	}
}

// podsThatRefer makes pods that name a ConfigMap and a Secret, for nodes with those
// labels, in a namespace that is returned.
func (r *real) podsThatRefer(t *testing.T, name string, count int, on map[string]string) string {
	t.Helper()
	ctx := t.Context()
	ns, err := r.kube.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "own-" + name}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, Namespace: ns.Name} }
	if _, err := r.kube.CoreV1().ConfigMaps(ns.Name).Create(ctx, &corev1.ConfigMap{ObjectMeta: meta("settings")}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.kube.CoreV1().Secrets(ns.Name).Create(ctx, &corev1.Secret{ObjectMeta: meta("password")}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	// Without its service account no pod is admitted.
	eventually(t, "the namespace's service account", func() bool {
		_, err := r.kube.CoreV1().ServiceAccounts(ns.Name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil
	})
	for i := range count {
		pod := &corev1.Pod{ObjectMeta: meta("pod-" + string(rune('a'+i)))}
		pod.Spec.Containers = []corev1.Container{{
			Name: "c", Image: "registry.example.com/c:1",
			EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}},
		}}
		pod.Spec.NodeSelector = on
		pod.Spec.Volumes = []corev1.Volume{{Name: "password", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "password"}}}}
		if _, err := r.kube.CoreV1().Pods(ns.Name).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return ns.Name
}

// tellOf counts the pods of which so many Events have that reason, at least.
func (r *real) tellOf(t *testing.T, ns, reason string, times int) (pods int) {
	t.Helper()
	events, err := r.kube.CoreV1().Events(ns).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=" + reason})
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]int{}
	for _, e := range events.Items {
		of[e.InvolvedObject.Name]++
	}
	for _, n := range of {
		if n >= times {
			pods++
		}
	}
	return pods
}
