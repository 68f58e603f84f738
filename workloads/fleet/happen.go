package fleet

import (
	"context"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/storm-harness/storm/workloads/client"
)

// happening is an Event that a kubelet writes about a pod.
type happening struct{ sort, reason, message string }

// What a kubelet says when a pod starts, crashes and stops.
var (
	startEvents = []happening{
		{corev1.EventTypeNormal, "Pulled", "Container image already present on machine and can be accessed by the pod"},
		{corev1.EventTypeNormal, "Created", "Container created"},
		{corev1.EventTypeNormal, "Started", "Container started"},
	}
	crashEvents = []happening{{corev1.EventTypeWarning, "BackOff", "Back-off restarting failed container"}}
	stopEvents  = []happening{{corev1.EventTypeNormal, "Killing", "Stopping container"}}
)

// events writes what happens to a pod's first container.
func (k *kubelet) events(ctx context.Context, p *pod, all []happening) {
	if !k.cfg.Pods.Events || len(p.containers) == 0 {
		return
	}
	for _, h := range all {
		now := metav1.Now()
		intended := k.env.Clock.Now()
		body, err := client.Encode(&corev1.Event{
			ObjectMeta: metav1.ObjectMeta{
				Name: fmt.Sprintf("%s.%x", p.name, now.UnixNano()), Namespace: p.namespace, Labels: k.env.Labels,
			},
			InvolvedObject: corev1.ObjectReference{
				Kind: "Pod", Namespace: p.namespace, Name: p.name, UID: types.UID(p.uid), APIVersion: "v1",
				FieldPath: "spec.containers{" + p.containers[0].Name + "}",
			},
			Reason: h.reason, Message: h.message, Type: h.sort, Count: 1,
			Source:         corev1.EventSource{Component: "kubelet", Host: k.node.name},
			FirstTimestamp: now, LastTimestamp: now,
			ReportingController: "kubelet", ReportingInstance: k.node.name,
		})
		if err != nil {
			k.env.Log.Error("encode an Event", "error", err)
			return
		}
		k.node.ask(ctx, k.node.calls, &client.Request{
			Method: http.MethodPost, Path: "/api/v1/namespaces/" + p.namespace + "/events",
			Body: body, ContentType: client.Protobuf, As: k.node.as,
		}, nil, 0).Record(k.series.events, intended)
	}
}
