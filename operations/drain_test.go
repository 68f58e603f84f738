package operations

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestADrainLeavesAndRefusesWhatKubectlDoes(t *testing.T) {
	yes := true
	pod := func(name, owner string, phase corev1.PodPhase) corev1.Pod {
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns"}, Status: corev1.PodStatus{Phase: phase}}
		if owner != "" {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: owner, Name: "owner", Controller: &yes}}
		}
		return p
	}
	mirror := pod("mirror", "", corev1.PodRunning)
	mirror.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
	of := []corev1.Pod{
		mirror, pod("daemon", "DaemonSet", corev1.PodRunning), pod("web", "ReplicaSet", corev1.PodRunning),
		pod("done", "", corev1.PodSucceeded), pod("daemon-done", "DaemonSet", corev1.PodFailed),
	}
	names := func(pods []corev1.Pod) string {
		var all []string
		for _, p := range pods {
			all = append(all, p.Name)
		}
		return strings.Join(all, " ")
	}
	evict, stay, err := sift(of, false)
	if err != nil || stay != 2 || names(evict) != "web done daemon-done" {
		t.Errorf("evicts %q, leaves %d: %v", names(evict), stay, err)
	}
	of = append(of, pod("alone", "", corev1.PodRunning))
	if evict, _, err := sift(of, false); err == nil || !strings.Contains(err.Error(), "ns/alone") || evict != nil {
		t.Errorf("a pod that nobody makes anew: evicts %q: %v", names(evict), err)
	}
	if evict, stay, err := sift(of, true); err != nil || stay != 2 || names(evict) != "web done daemon-done alone" {
		t.Errorf("by force: evicts %q, leaves %d: %v", names(evict), stay, err)
	}
}
