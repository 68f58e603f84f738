//go:build cluster

package workloads

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/unit"
)

// The loads that keep controllers at work, and what the servers say of them.
func TestControllerLoadsAreWhatTheServersSee(t *testing.T) {
	r := bringUp(t)
	t.Run("rogueDaemonSet", r.testRogue)
}

// The clients list as their own service account, which priority and fairness
// takes for what it is; an answer holds every pod.
func (r *real) testRogue(t *testing.T) {
	const pods, size = 10, 10_000
	for i := range pods {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("listed-%d", i), Namespace: "default", Annotations: map[string]string{"text": noise(size)}},
			Spec: corev1.PodSpec{
				Containers:    []corev1.Container{{Name: "main", Image: "registry.k8s.io/pause:3.10"}},
				SchedulerName: "nobody",
			},
		}
		eventually(t, "a pod", func() bool {
			_, err := r.kube.CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{})
			return err == nil
		})
	}
	for name, change := range map[string]func(*RogueDaemonSet){
		"rogue":      func(*RogueDaemonSet) {},
		"rogue-rv0":  func(d *RogueDaemonSet) { d.ResourceVersion, d.Jitter = "0", .1 },
		"rogue-json": func(d *RogueDaemonSet) { d.Content = "json" },
	} {
		flow := map[string]string{"flow_schema": "service-accounts"}
		before := r.metric(t, "apiserver_flowcontrol_dispatched_requests_total", flow)
		w := of(func(d *RogueDaemonSet) {
			d.Count, d.Period = 10, unit.Duration(500*time.Millisecond)
			change(d)
		}).(*RogueDaemonSet)
		l := r.put(t, name, w)
		eventually(t, "forty lists", func() bool { return l.soFar("list", "pods", w.detail()).OK >= 40 })
		l.end()
		if f := l.failures(); len(f) > 0 {
			t.Errorf("%s: failures: %v", name, f)
		}
		got := l.soFar("list", "pods", w.detail())
		served := 0
		for _, a := range r.requests(t, name, func(a audited) bool {
			return a.Verb == "list" && a.Object.Resource == "pods" && a.Response.Code == 200 && a.Stage == "ResponseComplete"
		}) {
			if a.URI == "/api/v1/pods?limit=1" {
				continue // that of Prepare
			}
			served++
			ns := "storm-" + name
			if a.Impersonated.Username != "system:serviceaccount:"+ns+":rogue" ||
				fmt.Sprint(a.Impersonated.Groups) != "[system:serviceaccounts system:serviceaccounts:"+ns+" system:authenticated]" {
				t.Fatalf("a list was made by %+v", a.Impersonated)
			}
		}
		l.agrees("lists", served, got.OK)
		if flowed := r.metric(t, "apiserver_flowcontrol_dispatched_requests_total", flow) - before; flowed < float64(got.OK) {
			t.Errorf("%s: the flow of service accounts had %.0f requests, storm made %d", name, flowed, got.OK)
		}
		// The text is noise of 4 bits a byte: gzip cannot make it half as long.
		if each := int(got.Bytes / got.OK); each < pods*size/2 {
			t.Errorf("%s: %d bytes a list", name, each)
		}
	}
}

// noise is a text of hexadecimal digits that does not compress below half.
func noise(size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = "0123456789abcdef"[rand.IntN(16)]
	}
	return string(b)
}
