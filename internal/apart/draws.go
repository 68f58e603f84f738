package apart

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// Draws says whether the scheduler would take a simulated node for a pod of
// somebody else's: by the taint, the node selector and the required affinity.
func Draws(pod corev1.PodSpec) bool {
	n := &corev1.Node{}
	Mark(n)
	if pod.NodeName != "" || !slices.ContainsFunc(pod.Tolerations, tolerates) {
		return false
	}
	for label, value := range pod.NodeSelector {
		if has, ok := n.Labels[label]; !ok || has != value {
			return false
		}
	}
	a := pod.Affinity
	if a == nil || a.NodeAffinity == nil || a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return true
	}
	return slices.ContainsFunc(a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms, func(t corev1.NodeSelectorTerm) bool {
		return matches(t, n)
	})
}

// tolerates says whether a toleration is of the simulated nodes' taint.
func tolerates(t corev1.Toleration) bool {
	if t.Effect != "" && t.Effect != taint.Effect {
		return false
	}
	if t.Operator == corev1.TolerationOpExists {
		return t.Key == "" || t.Key == taint.Key
	}
	return t.Key == taint.Key && t.Value == taint.Value
}

// matches says whether a node is of a term, all of whose requirements must hold;
// one without any matches nothing.
func matches(t corev1.NodeSelectorTerm, n *corev1.Node) bool {
	if len(t.MatchExpressions)+len(t.MatchFields) == 0 {
		return false
	}
	for _, r := range t.MatchExpressions {
		value, there := n.Labels[r.Key]
		if !holds(r, value, there) {
			return false
		}
	}
	for _, r := range t.MatchFields { // of which there is one: metadata.name
		if !holds(r, "", true) { // no pod names a simulated node
			return false
		}
	}
	return true
}

// holds says whether a requirement holds for a label's value.
func holds(r corev1.NodeSelectorRequirement, value string, there bool) bool {
	switch r.Operator {
	case corev1.NodeSelectorOpIn:
		return there && slices.Contains(r.Values, value)
	case corev1.NodeSelectorOpNotIn:
		return !there || !slices.Contains(r.Values, value)
	case corev1.NodeSelectorOpExists:
		return there
	case corev1.NodeSelectorOpDoesNotExist:
		return !there
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		has, err := strconv.ParseInt(value, 10, 64)
		if err != nil || len(r.Values) != 1 {
			return false
		}
		bound, err := strconv.ParseInt(r.Values[0], 10, 64)
		return err == nil && (r.Operator == corev1.NodeSelectorOpGt && has > bound || r.Operator == corev1.NodeSelectorOpLt && has < bound)
	}
	return true // an operator that is not known here: better warned once too often
}
