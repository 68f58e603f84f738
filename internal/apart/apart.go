// Package apart keeps simulated nodes and real ones apart, in clusters that
// have both: pods that know nothing of storm must not come to nodes where nobody
// runs them, storm's pods must not come to real ones, and what looks at nodes
// must not take the simulated for more of its own.
package apart

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// Key is the key of the label and of the taint of simulated nodes, and Value
// their value.
const (
	Key   = "storm.dev/simulated"
	Value = "true"
)

// system is what the nodes say of their operating system in their labels. The
// DaemonSets that tolerate every taint, as those of networks and of kube-proxy
// do, select linux.
const system = "simulated"

// The labels that kubelets still set beside their stable twins.
const (
	labelOS   = "beta.kubernetes.io/os"
	labelArch = "beta.kubernetes.io/arch"
)

// Mark makes a Node one that is kept apart:
//   - a taint that no pod tolerates but storm's, and those that tolerate all;
//   - another operating system and architecture than any pod selects;
//   - no hostname and no zone: they would be domains with no pod in them, by which
//     spread constraints (DoNotSchedule) would hold back the real nodes' pods. The
//     region makes a zone of their own for the node lifecycle controller, whose
//     reaction to failing nodes counts by region and zone;
//   - no address: agents that route to every node, and collectors of metrics that
//     ask every kubelet, have nothing to send packets to;
//   - no target for load balancers.
func Mark(n *corev1.Node) {
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	delete(n.Labels, corev1.LabelHostname)
	delete(n.Labels, corev1.LabelTopologyZone)
	for _, label := range []string{corev1.LabelOSStable, labelOS, corev1.LabelArchStable, labelArch} {
		n.Labels[label] = system
	}
	n.Labels[Key] = Value
	n.Labels[corev1.LabelTopologyRegion] = "storm"
	n.Labels[corev1.LabelNodeExcludeBalancers] = "true"
	n.Spec.Taints = append(n.Spec.Taints, taint)
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: n.Name}}
}

var taint = corev1.Taint{Key: Key, Value: Value, Effect: corev1.TaintEffectNoSchedule}

// Toleration is that of storm's pods.
func Toleration() corev1.Toleration {
	return corev1.Toleration{Key: Key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}
}

// Confine keeps a pod on simulated nodes: a real one would pull its images, and
// give it its room.
func Confine(pod *corev1.PodSpec) {
	pod.NodeSelector = map[string]string{Key: Value}
	pod.Tolerations = append(pod.Tolerations, Toleration())
}

// IP is an address of 198.18.0.0/15, which is set aside for tests (RFC 2544): no
// real pod has it, so that a rule of the network's that follows pods' addresses
// cannot meet another's.
func IP(n uint32) string { return fmt.Sprintf("198.%d.%d.%d", 18+n>>16&1, n>>8&255, n&255) }
