package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// What a kubelet asks of the API server about one of its pods: its status manager
// reads a pod each time before it says anything of it.

// statusOf is the patch that a kubelet sends of a pod's status.
type statusOf struct {
	Metadata struct {
		UID string `json:"uid"`
	} `json:"metadata"`
	Status corev1.PodStatus `json:"status"`
}

// patch tells a pod's status. One that is gone, or whose name another has by now, is
// told nothing. The patch is intended for the moment at which the pod has been read.
func (k *kubelet) patch(ctx context.Context, intended int64, p *pod, status corev1.PodStatus) client.Answer {
	a, generation := k.read(ctx, intended, p)
	if !a.OK() {
		return a
	}
	return k.send(ctx, a.Done, p, generation, status)
}

// observe tells that the kubelet knows what a pod is to be by now, if that has changed.
// A server that does not count how often it has, before v1.33, is told nothing.
func (k *kubelet) observe(ctx context.Context, intended int64, p *pod) {
	a, generation := k.read(ctx, intended, p)
	k.mu.Lock()
	known := p.observed
	k.mu.Unlock()
	if a.OK() && generation > known {
		k.send(ctx, a.Done, p, generation, corev1.PodStatus{})
	}
}

// send sends a status, of what the pod was to be at that generation.
func (k *kubelet) send(ctx context.Context, intended int64, p *pod, generation int64, status corev1.PodStatus) client.Answer {
	var s statusOf
	s.Metadata.UID, s.Status = p.uid, status
	s.Status.ObservedGeneration = generation
	for i := range s.Status.Conditions {
		s.Status.Conditions[i].ObservedGeneration = generation
	}
	body, err := json.Marshal(s)
	if err != nil {
		k.env.Log.Error("encode a pod's status", "error", err)
		return client.Answer{Code: client.CodeLocal, Cut: true}
	}
	a := k.node.ask(ctx, k.node.calls, &client.Request{
		Method: http.MethodPatch, Path: path(p) + "/status", Body: body, ContentType: client.StrategicPatch, As: k.node.as,
	}, nil, 0)
	k.expected(p, a).Record(k.series.podStatus, intended)
	if a.OK() {
		k.mu.Lock()
		p.observed = max(p.observed, generation)
		k.mu.Unlock()
	}
	return a
}

// podSize is more than etcd takes of any object.
const podSize = 2 << 20

// read reads a pod, and returns its generation. Where another has its name, it is
// gone, and the answer is what the server would say of that.
func (k *kubelet) read(ctx context.Context, intended int64, p *pod) (client.Answer, int64) {
	reply := replies.Get().(*bytes.Buffer)
	reply.Reset()
	defer replies.Put(reply)
	a := k.node.ask(ctx, k.node.calls, get(path(p), k.node.as), reply, podSize)
	var meta lean.Meta
	if a.OK() {
		var err error
		if meta, err = lean.MetaOf(reply.Bytes()); err != nil {
			a.Code = client.CodeMalformed
		}
	}
	counted := a
	if a.Status == http.StatusNotFound {
		counted.Code = "" // an answer that a kubelet goes by, as by any other
	}
	counted.Record(k.series.podGet, intended)
	if a.OK() && meta.UID != p.uid {
		a.Status, a.Code = http.StatusNotFound, "404"
	}
	return a, meta.Generation
}

// erase removes a pod from the API, at once, if it is still the same.
func (k *kubelet) erase(ctx context.Context, intended int64, p *pod) client.Answer {
	zero, uid := int64(0), types.UID(p.uid)
	body, err := json.Marshal(metav1.DeleteOptions{
		TypeMeta:           metav1.TypeMeta{Kind: "DeleteOptions", APIVersion: "v1"},
		GracePeriodSeconds: &zero, Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if err != nil {
		k.env.Log.Error("encode a pod's deletion", "error", err)
		return client.Answer{Code: client.CodeLocal, Cut: true}
	}
	a := k.node.ask(ctx, k.node.calls, &client.Request{
		Method: http.MethodDelete, Path: path(p), Body: body, ContentType: client.JSON, As: k.node.as,
	}, nil, 0)
	k.expected(p, a).Record(k.series.podDelete, intended)
	return a
}

// expected is how the answer to a change of a pod counts: that one which is being
// deleted is gone is no failure of the request. Somebody was quicker, or the kubelet
// itself was, before it was started again, and there is nothing left to do.
func (k *kubelet) expected(p *pod, a client.Answer) client.Answer {
	k.mu.Lock()
	defer k.mu.Unlock()
	if a.Status == http.StatusNotFound && (p.stage == stopping || k.pods[p.uid] != p) {
		a.Code = ""
	}
	return a
}

// again says whether a request about a pod is to be made again: 404 says that
// the pod is gone.
func again(a client.Answer) bool { return !a.OK() && !a.Cut && a.Status != http.StatusNotFound }

func path(p *pod) string { return "/api/v1/namespaces/" + p.namespace + "/pods/" + p.name }
