package kind

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// shardPod is the static pod of a further shard's stacked member, as kubeadm has it for
// the main shard's: what that asks of the node, and how long its kubelet bears it. Its
// binary is mounted, so that any image does; the apiserver's is there on every node.
func shardPod(at place, server manifest) manifest {
	name := nameIn(at.id)
	directory := corev1.HostPathDirectoryOrCreate
	from := func(path string) corev1.VolumeSource {
		return corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path, Type: &directory}}
	}
	// Also full, or without its leader, it lives.
	lives := func(failures int32) *corev1.Probe {
		return &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Host: loopback.String(), Port: intstr.FromInt(at.metricsPort()), Path: "/health?exclude=NOSPACE&serializable=true", Scheme: corev1.URISchemeHTTP,
			}},
			InitialDelaySeconds: 10, TimeoutSeconds: 15, PeriodSeconds: 10, FailureThreshold: failures,
		}
	}
	root := int64(0)
	return manifest{corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: metav1.NamespaceSystem, Labels: map[string]string{"component": name, "tier": "control-plane"}},
		Spec: corev1.PodSpec{
			HostNetwork: true, PriorityClassName: "system-node-critical",
			SecurityContext: &corev1.PodSecurityContext{RunAsUser: &root, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
			Containers: []corev1.Container{{
				Name: name, Image: server.pod.Spec.Containers[0].Image, ImagePullPolicy: corev1.PullIfNotPresent,
				Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("100m"), corev1.ResourceMemory: resource.MustParse("100Mi"),
				}},
				LivenessProbe: lives(8), StartupProbe: lives(24),
				VolumeMounts: []corev1.VolumeMount{{Name: kubeadmVolume, MountPath: kubeadmData}, {Name: "etcd-certs", MountPath: nodePKI + "/etcd", ReadOnly: true}},
			}},
			Volumes: []corev1.Volume{{Name: kubeadmVolume, VolumeSource: from(kubeadmData)}, {Name: "etcd-certs", VolumeSource: from(nodePKI + "/etcd")}},
		},
	}}
}
