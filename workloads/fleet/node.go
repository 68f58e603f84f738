package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/lean"
)

// node is one simulated node.
type node struct {
	index int
	name  string
	ip    string
	as    client.User
	uid   string // of its Node; set by register

	mu sync.Mutex // held over a renewal of the lease
	// leaseVersion is the resourceVersion of the lease as the node knows it;
	// empty where it must be asked for.
	leaseVersion string
}

// nodesGroup is the group that every kubelet's certificate names.
var nodesGroup = []string{"system:nodes"}

func newNode(prefix string, i int, asNode bool) *node {
	n := &node{index: i, name: fmt.Sprintf("%s-%05d", prefix, i)}
	// 100.64.0.0/10 is for networks such as this; nothing is sent there.
	n.ip = fmt.Sprintf("100.%d.%d.%d", 64+i>>16, i>>8&255, i&255)
	if asNode {
		n.as = client.User{Name: "system:node:" + n.name, Groups: nodesGroup}
	}
	return n
}

// patience is how long a registration goes on trying.
const patience = 60 * time.Second

// objectSize is more than any Node or Lease of storm's takes.
const objectSize = 256 << 10

// register makes the node's Node and Lease.
func (f *Fleet) register(ctx context.Context, n *node, version string) error {
	var body bytes.Buffer
	meta, err := f.ensure(ctx, n, "/api/v1/nodes", n.name, &body, func() ([]byte, error) {
		return client.Encode(n.object(version, f.env.Labels))
	})
	if err != nil {
		return err
	}
	n.uid = meta.UID
	meta, err = f.ensure(ctx, n, leasePath, n.name, &body, func() ([]byte, error) { return f.leaseBody(n) })
	if err != nil {
		return err
	}
	n.leaseVersion = meta.ResourceVersion
	return nil
}

// ensure creates an object of the node's, or gets it where it is there.
func (f *Fleet) ensure(ctx context.Context, n *node, collection, name string, body *bytes.Buffer, encode func() ([]byte, error)) (lean.Meta, error) {
	encoded, err := encode()
	if err != nil {
		return lean.Meta{}, err
	}
	a, err := f.heartbeats.Insist(ctx, &client.Request{
		Method: http.MethodPost, Path: collection, Body: encoded, ContentType: client.Protobuf, As: n.as,
	}, patience, body, objectSize, http.StatusConflict)
	if err == nil && !a.OK() {
		_, err = f.heartbeats.Insist(ctx, get(collection+"/"+name, n.as), patience, body, objectSize)
	}
	if err != nil {
		return lean.Meta{}, err
	}
	return lean.MetaOf(body.Bytes())
}

// serverVersion returns the API server's version: simulated kubelets say that
// they are of the same one.
func (f *Fleet) serverVersion(ctx context.Context) (string, error) {
	var body bytes.Buffer
	req := &client.Request{Method: http.MethodGet, Path: "/version", Accept: client.JSON}
	if _, err := f.heartbeats.Insist(ctx, req, patience, &body, objectSize); err != nil {
		return "", err
	}
	var v struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal(body.Bytes(), &v); err != nil || v.GitVersion == "" {
		return "", fmt.Errorf("the API server's /version is not understood: %q", body.String())
	}
	return v.GitVersion, nil
}

// imageCount is how many images a node reports to hold; kubelets report up to
// 50, which make most of a Node's size.
const imageCount = 20

// object is the Node that a kubelet registers.
func (n *node) object(version string, labels map[string]string) *corev1.Node {
	all := map[string]string{
		corev1.LabelHostname:           n.name,
		corev1.LabelOSStable:           "linux",
		corev1.LabelArchStable:         "amd64",
		corev1.LabelInstanceTypeStable: "storm.32",
		corev1.LabelTopologyRegion:     "storm",
		corev1.LabelTopologyZone:       "storm-" + string(rune('a'+n.index%3)),
	}
	for k, v := range labels {
		all[k] = v
	}
	capacity := corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("32"),
		corev1.ResourceMemory:           resource.MustParse("256Gi"),
		corev1.ResourcePods:             resource.MustParse("110"),
		corev1.ResourceEphemeralStorage: resource.MustParse("1Ti"),
	}
	now := metav1.Now()
	images := make([]corev1.ContainerImage, imageCount)
	for i := range images {
		name := "registry.example/team-" + strconv.Itoa(i%7) + "/service-" + strconv.Itoa(i)
		images[i] = corev1.ContainerImage{
			Names:     []string{fmt.Sprintf("%s@sha256:%064x", name, i), name + ":v1.2.3"},
			SizeBytes: int64(i+1) * 25 << 20,
		}
	}
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: n.name, Labels: all,
			Annotations: map[string]string{"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
		},
		Status: corev1.NodeStatus{
			Capacity: capacity, Allocatable: capacity,
			Conditions: conditions(now, now),
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: n.ip}, {Type: corev1.NodeHostName, Address: n.name},
			},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: 10250}},
			NodeInfo: corev1.NodeSystemInfo{
				MachineID: fmt.Sprintf("%032x", n.index), SystemUUID: fmt.Sprintf("%032x", n.index), BootID: fmt.Sprintf("%032x", n.index),
				KernelVersion: "6.12.0", OSImage: "simulated by storm", ContainerRuntimeVersion: "storm://1",
				KubeletVersion: version, OperatingSystem: "linux", Architecture: "amd64",
			},
			Images: images,
		},
	}
}

// conditions are those that a healthy kubelet reports.
func conditions(beat, since metav1.Time) []corev1.NodeCondition {
	of := func(t corev1.NodeConditionType, s corev1.ConditionStatus, reason, message string) corev1.NodeCondition {
		return corev1.NodeCondition{Type: t, Status: s, Reason: reason, Message: message, LastHeartbeatTime: beat, LastTransitionTime: since}
	}
	return []corev1.NodeCondition{
		of(corev1.NodeMemoryPressure, corev1.ConditionFalse, "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
		of(corev1.NodeDiskPressure, corev1.ConditionFalse, "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
		of(corev1.NodePIDPressure, corev1.ConditionFalse, "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
		of(corev1.NodeReady, corev1.ConditionTrue, "KubeletReady", "kubelet is posting ready status"),
	}
}
