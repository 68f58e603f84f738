package apart

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var everything = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}

func required(terms ...corev1.NodeSelectorTerm) *corev1.Affinity {
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: terms},
	}}
}

func where(key string, op corev1.NodeSelectorOperator, values ...string) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: op, Values: values}}}
}

// Which of somebody else's pods a simulated node draws.
func TestDraws(t *testing.T) {
	for name, c := range map[string]struct {
		pod  corev1.PodSpec
		want bool
	}{
		"any pod":                    {corev1.PodSpec{}, false},
		"tolerates all":              {corev1.PodSpec{Tolerations: everything}, true},
		"tolerates NoSchedule":       {corev1.PodSpec{Tolerations: []corev1.Toleration{{Operator: "Exists", Effect: "NoSchedule"}}}, true},
		"tolerates NoExecute alone":  {corev1.PodSpec{Tolerations: []corev1.Toleration{{Operator: "Exists", Effect: "NoExecute"}}}, false},
		"tolerates another taint":    {corev1.PodSpec{Tolerations: []corev1.Toleration{{Key: "other", Operator: "Exists"}}}, false},
		"bound":                      {corev1.PodSpec{Tolerations: everything, NodeName: "real"}, false},
		"kube-proxy":                 {corev1.PodSpec{Tolerations: everything, NodeSelector: map[string]string{corev1.LabelOSStable: "linux"}}, false},
		"linux by affinity":          {corev1.PodSpec{Tolerations: everything, Affinity: required(where(corev1.LabelOSStable, "In", "linux"))}, false},
		"not fargate":                {corev1.PodSpec{Tolerations: everything, Affinity: required(where("eks.amazonaws.com/compute-type", "NotIn", "fargate"))}, true},
		"not simulated":              {corev1.PodSpec{Tolerations: everything, Affinity: required(where(Key, "DoesNotExist"))}, false},
		"one term of two":            {corev1.PodSpec{Tolerations: everything, Affinity: required(where("gpu", "Exists"), where(Key, "Exists"))}, true},
		"a term without a condition": {corev1.PodSpec{Tolerations: everything, Affinity: required(corev1.NodeSelectorTerm{})}, false},
		"more than a number":         {corev1.PodSpec{Tolerations: everything, Affinity: required(where("cores", "Gt", "4"))}, false},
		"a node by its name": {corev1.PodSpec{Tolerations: everything, Affinity: required(corev1.NodeSelectorTerm{
			MatchFields: []corev1.NodeSelectorRequirement{{Key: "metadata.name", Operator: "In", Values: []string{"real"}}},
		})}, false},
	} {
		if got := Draws(c.pod); got != c.want {
			t.Errorf("%s: drawn is %t, want %t", name, got, c.want)
		}
	}
	var own corev1.PodSpec
	Confine(&own)
	if !Draws(own) {
		t.Error("a confined pod does not come to a simulated node")
	}
}

// A marked node has none of what others would act upon.
func TestMark(t *testing.T) {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{
		corev1.LabelHostname: "n", corev1.LabelTopologyZone: "z", corev1.LabelOSStable: "linux", "kept": "yes",
	}}, Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.1"}}}}
	Mark(n)
	for _, gone := range []string{corev1.LabelHostname, corev1.LabelTopologyZone} {
		if v, there := n.Labels[gone]; there {
			t.Errorf("%s is still %s", gone, v)
		}
	}
	if n.Labels[corev1.LabelOSStable] == "linux" || n.Labels[Key] != Value || n.Labels["kept"] != "yes" {
		t.Errorf("labels %v", n.Labels)
	}
	for _, a := range n.Status.Addresses {
		if a.Type != corev1.NodeHostName {
			t.Errorf("it has the address %v", a)
		}
	}
	if a, b := IP(0), IP(1<<17-1); a != "198.18.0.0" || b != "198.19.255.255" {
		t.Errorf("addresses go from %s to %s", a, b)
	}
}
