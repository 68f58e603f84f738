package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// kubelet takes the pods of one node through their life: what is bound to the
// node goes Running after a while, what is deleted is removed once its
// containers would have stopped.
type kubelet struct {
	*Fleet
	node   *node
	agenda *agenda
	feed   feed

	mu   sync.Mutex
	pods map[string]stage // by UID
	seen map[string]stage // while a list comes in
}

// stage is how far a pod has come on its node.
type stage int

const (
	starting stage = iota + 1
	running
	stopping
)

// pod is what the kubelet keeps of a pod while it has something to do for it.
type pod struct {
	namespace, name, uid string
	hostNetwork          bool
	containers           []lean.Container
	tries                int
}

func newKubelet(f *Fleet, n *node, a *agenda) *kubelet {
	k := &kubelet{Fleet: f, node: n, agenda: a, pods: map[string]stage{}}
	k.feed = feed{
		client: f.pods, clock: f.env.Clock, as: n.as, selector: "spec.nodeName=" + n.name,
		list: f.series.podList, watch: f.series.podWatch, sink: k,
		rng: rand.New(rand.NewPCG(uint64(f.env.Seed), uint64(n.index)+16)),
	}
	return k
}

// run watches the node's pods from the given time until ctx ends.
func (k *kubelet) run(ctx context.Context, at int64) { k.feed.run(ctx, at) }

// pod implements podSink.
func (k *kubelet) pod(kind string, at int64, p *lean.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.pods[p.UID] // 0: not known
	next := now
	switch {
	case kind == "DELETED":
		delete(k.pods, p.UID)
		return
	case p.Deleting:
		next = stopping
	case p.Phase == string(corev1.PodPending) && now == 0:
		next = starting
	case p.Phase == string(corev1.PodRunning):
		next = running
	}
	if next == 0 {
		return // it has come to its end by itself
	}
	if k.pods[p.UID] = next; kind == "LISTED" {
		if k.seen == nil {
			k.seen = map[string]stage{}
		}
		k.seen[p.UID] = next
	}
	if next == now {
		return
	}
	j := &pod{namespace: p.Namespace, name: p.Name, uid: p.UID, hostNetwork: p.HostNetwork}
	switch next {
	case starting:
		j.containers = append(j.containers, p.Containers...)
		k.agenda.add(at+int64(k.cfg.PodStart), func(ctx context.Context, at int64) { k.start(ctx, at, j) })
	case stopping:
		k.agenda.add(at+int64(k.cfg.PodStop), func(ctx context.Context, at int64) { k.stop(ctx, at, j) })
	}
}

// listed implements podSink.
func (k *kubelet) listed() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pods, k.seen = k.seen, nil
	if k.pods == nil {
		k.pods = map[string]stage{}
	}
}

// retry puts a failed request on the agenda again, as a kubelet's sync loop
// would: after a second, and up to ten.
func (k *kubelet) retry(p *pod, do func(context.Context, int64, *pod)) {
	pause := min(time.Second<<min(p.tries, 10), 10*time.Second)
	p.tries++
	k.agenda.add(k.env.Clock.Now()+int64(pause), func(ctx context.Context, at int64) { do(ctx, at, p) })
}

// start reports the pod's containers as running.
func (k *kubelet) start(ctx context.Context, intended int64, p *pod) {
	k.mu.Lock()
	wanted := k.pods[p.uid] == starting
	k.mu.Unlock()
	if !wanted {
		return
	}
	body, err := json.Marshal(k.runningStatus(p))
	if err != nil {
		k.env.Log.Error("encode a pod's status", "error", err)
		return
	}
	a := k.Fleet.pods.Do(ctx, &client.Request{
		Method: http.MethodPatch, Path: podPath(p) + "/status", Body: body, ContentType: client.StrategicPatch, As: k.node.as,
	}, nil, 0)
	a.Record(k.series.podStatus, intended)
	if !a.OK() && !a.Cut && a.Status != http.StatusNotFound {
		k.retry(p, k.start)
	}
}

// stop removes the pod from the API, as a kubelet does when its containers are
// gone: at once, and only if it is still the same pod.
func (k *kubelet) stop(ctx context.Context, intended int64, p *pod) {
	zero := int64(0)
	uid := types.UID(p.uid)
	body, err := json.Marshal(metav1.DeleteOptions{
		TypeMeta:           metav1.TypeMeta{Kind: "DeleteOptions", APIVersion: "v1"},
		GracePeriodSeconds: &zero, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if err != nil {
		k.env.Log.Error("encode a pod's deletion", "error", err)
		return
	}
	a := k.Fleet.pods.Do(ctx, &client.Request{
		Method: http.MethodDelete, Path: podPath(p), Body: body, ContentType: client.JSON, As: k.node.as,
	}, nil, 0)
	a.Record(k.series.podDelete, intended)
	// 404 and 409 say that this pod is gone, or that another has its name.
	if !a.OK() && !a.Cut && a.Status != http.StatusNotFound && a.Status != http.StatusConflict {
		k.retry(p, k.stop)
	}
}

func podPath(p *pod) string { return "/api/v1/namespaces/" + p.namespace + "/pods/" + p.name }

// podStatus is the patch that a kubelet sends when all containers run.
type podStatus struct {
	Metadata struct {
		UID string `json:"uid"`
	} `json:"metadata"`
	Status corev1.PodStatus `json:"status"`
}

// runningStatus is the status of a pod whose containers run.
func (k *kubelet) runningStatus(p *pod) podStatus {
	now := metav1.Now()
	var s podStatus
	s.Metadata.UID = p.uid
	ip := k.node.ip
	if !p.hostNetwork {
		ip = podIP(p.uid)
	}
	s.Status = corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &now,
		HostIP: k.node.ip, HostIPs: []corev1.HostIP{{IP: k.node.ip}},
		PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}},
	}
	for _, t := range []corev1.PodConditionType{corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady} {
		s.Status.Conditions = append(s.Status.Conditions, corev1.PodCondition{Type: t, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	yes := true
	for _, c := range p.containers {
		s.Status.ContainerStatuses = append(s.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, ImageID: c.Image, ContainerID: "storm://" + p.uid + "/" + c.Name,
			Ready: true, Started: &yes, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return s
}

// podIP gives a pod an address of 10.0.0.0/8, by its UID: two of a hundred
// thousand pods may share one, which nothing here minds.
func podIP(uid string) string {
	h := uint32(2166136261) // FNV-1a
	for i := range len(uid) {
		h = (h ^ uint32(uid[i])) * 16777619
	}
	return fmt.Sprintf("10.%d.%d.%d", h>>16&255, h>>8&255, 1+h%254)
}
