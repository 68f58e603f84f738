package kind

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	core "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/storm-harness/storm/clusters/ready"
)

// mirrored waits until the apiserver has forgotten the static pods before the present
// ones. Kubelets have it do that within their main loop: where the apiserver that one
// asks hangs, because its etcd is down, each of them takes half a minute, for which
// that kubelet sees no manifest.
func (c *Cluster) mirrored(ctx context.Context) error {
	client, err := core.NewForConfig(c.Access().REST)
	if err != nil {
		return err
	}
	return ready.Patiently(ctx, func(ctx context.Context) error {
		pods, err := client.Pods(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: "tier=control-plane"})
		if err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if !c.wants(pod) {
				return fmt.Errorf("the kubelet of %s has not had the pod %s forgotten yet", pod.Spec.NodeName, pod.Name)
			}
		}
		return nil
	})
}

// wants says whether a pod is one of those that are wanted now.
func (c *Cluster) wants(pod corev1.Pod) bool {
	for _, n := range c.allNodes() {
		if n.name != pod.Spec.NodeName {
			continue
		}
		for _, p := range n.allParts() {
			if p.name() == pod.Labels["component"] {
				p.mu.Lock()
				defer p.mu.Unlock()
				return !p.down && p.own(process{pod: pod.Name})
			}
		}
	}
	return false
}
