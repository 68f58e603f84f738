package fleet

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/apart"
)

// creating is the status of a pod whose containers are being made.
func (k *kubelet) creating(p *pod) corev1.PodStatus {
	s := k.status(p, corev1.PodPending, corev1.ConditionFalse)
	s.PodIP, s.PodIPs = "", nil
	s.Conditions[0].Status = corev1.ConditionFalse // PodReadyToStartContainers
	for i := range s.ContainerStatuses {
		c := &s.ContainerStatuses[i]
		c.ContainerID, c.ImageID = "", ""
		c.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}
	}
	return s
}

// sandboxed is the status of a pod whose sandbox is there, and its containers are not.
func (k *kubelet) sandboxed(p *pod) corev1.PodStatus {
	s := k.creating(p)
	s.PodIP, s.PodIPs = k.ip(p)
	s.Conditions[0].Status, s.Conditions[0].Reason = corev1.ConditionTrue, ""
	return s
}

// running is the status of a pod whose containers run.
func (k *kubelet) running(p *pod) corev1.PodStatus {
	s := k.status(p, corev1.PodRunning, corev1.ConditionTrue)
	now := metav1.Now()
	for i := range s.ContainerStatuses {
		s.ContainerStatuses[i].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
	}
	return s
}

// succeeded is the status of a pod that has come to its end.
func (k *kubelet) succeeded(p *pod) corev1.PodStatus {
	return k.ended(p, corev1.PodSucceeded, 0, "Completed")
}

// terminated is the status of a deleted pod whose containers have stopped.
func (k *kubelet) terminated(p *pod) corev1.PodStatus {
	return k.ended(p, corev1.PodSucceeded, 0, "Completed")
}

func (k *kubelet) ended(p *pod, phase corev1.PodPhase, code int32, reason string) corev1.PodStatus {
	s := k.status(p, phase, corev1.ConditionFalse)
	for i := range s.ContainerStatuses {
		s.ContainerStatuses[i].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: code, Reason: reason, StartedAt: metav1.NewTime(p.started), FinishedAt: metav1.Now(),
		}}
	}
	return s
}

// exited is the status of a pod whose containers have just ended in error.
func (k *kubelet) exited(p *pod) corev1.PodStatus { return k.ended(p, corev1.PodRunning, 1, "Error") }

// crashed is the status of a pod whose containers wait for their back-off.
func (k *kubelet) crashed(p *pod) corev1.PodStatus {
	s := k.status(p, corev1.PodRunning, corev1.ConditionFalse)
	for i := range s.ContainerStatuses {
		c := &s.ContainerStatuses[i]
		c.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
			Reason: "CrashLoopBackOff", Message: "back-off restarting failed container " + c.Name,
		}}
		c.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 1, Reason: "Error", StartedAt: metav1.NewTime(p.started), FinishedAt: metav1.Now(),
		}}
	}
	return s
}

// status is a pod's status, but for the states of its containers.
func (k *kubelet) status(p *pod, phase corev1.PodPhase, ready corev1.ConditionStatus) corev1.PodStatus {
	started := metav1.NewTime(p.started)
	now := metav1.Now()
	s := corev1.PodStatus{
		Phase: phase, StartTime: &started,
		HostIP: k.node.ip, HostIPs: []corev1.HostIP{{IP: k.node.ip}},
	}
	s.PodIP, s.PodIPs = k.ip(p)
	of := func(t corev1.PodConditionType, status corev1.ConditionStatus) {
		c := corev1.PodCondition{Type: t, Status: status, LastTransitionTime: now}
		if status == corev1.ConditionFalse {
			c.Reason = "ContainersNotReady"
		}
		s.Conditions = append(s.Conditions, c)
	}
	of(corev1.PodReadyToStartContainers, corev1.ConditionTrue)
	of(corev1.PodInitialized, corev1.ConditionTrue)
	of(corev1.PodReady, ready)
	of(corev1.ContainersReady, ready)
	up := ready == corev1.ConditionTrue
	k.mu.Lock()
	crashes := p.crashes
	k.mu.Unlock()
	for _, c := range p.containers {
		s.ContainerStatuses = append(s.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, ContainerID: "storm://" + p.uid + "/" + c.Name,
			Ready: up, Started: &up, RestartCount: crashes,
		})
	}
	return s
}

// ip is a pod's address, as a status has it.
func (k *kubelet) ip(p *pod) (string, []corev1.PodIP) {
	ip := k.node.ip
	if !p.hostNetwork {
		ip = podIP(p.uid, k.cfg.Apart)
	}
	return ip, []corev1.PodIP{{IP: ip}}
}

// podIP gives a pod an address of 10.0.0.0/8, by its UID: two of a hundred
// thousand pods may share one, which nothing here minds. Apart from real pods it
// is one that they cannot have.
func podIP(uid string, fromReal bool) string {
	h := uint32(2166136261) // FNV-1a
	for i := range len(uid) {
		h = (h ^ uint32(uid[i])) * 16777619
	}
	if fromReal {
		return apart.IP(h)
	}
	return fmt.Sprintf("10.%d.%d.%d", h>>16&255, h>>8&255, 1+h%254)
}
