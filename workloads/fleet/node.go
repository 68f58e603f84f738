package fleet

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/storm-harness/storm/internal/apart"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/reflector"
)

// node is one simulated node.
type node struct {
	index   int
	name    string
	ip      string
	user    client.User  // who its kubelet is
	as      *client.User // whom its kubelet impersonates; nil: nobody
	uid     string       // of its Node, once that is there
	awaited int64        // since when the controllers wait for its first lease, ns since the clock's origin
	beats   *client.Client
	calls   *client.Client
	proxy   *client.Client // its kube-proxy's
	watches []reflector.Reflector
	kubelet *kubelet
	begun   atomic.Bool  // its kubelet runs
	silent  atomic.Bool  // it is cut off: it does nothing at all
	pulls   atomic.Int64 // images that it has pulled since it registered

	mu       sync.Mutex // guards what follows, and uid once the load runs
	renewing bool       // a renewal is under way
	waiting  []*renewal // due while it is
	resting  *renewal   // the one under way, between two of its requests
	rest     uint64     // counts the rests
	// leaseVersion is the resourceVersion of the lease as the node knows it;
	// empty where it must be asked for.
	leaseVersion string
	renewed      int64 // when the lease was last renewed, ns since the clock's origin; 0: not yet
}

// nodesGroup is the group that every kubelet's certificate names.
var nodesGroup = []string{"system:nodes"}

// Name is what the i-th node of a fleet is called.
func Name(prefix string, i int) string { return fmt.Sprintf("%s-%05d", prefix, i) }

func (f *Fleet) newNode(i int) *node {
	n := &node{index: i, name: Name(f.cfg.Prefix, i)}
	// 100.64.0.0/10 is for networks such as this; nothing is sent there.
	n.ip = fmt.Sprintf("100.%d.%d.%d", 64+i>>16, i>>8&255, i&255)
	if f.cfg.Apart {
		n.ip = apart.IP(uint32(i))
	}
	n.user = client.User{Name: "system:node:" + n.name, Groups: nodesGroup}
	if f.cfg.AsNodes && !f.cfg.PerNode {
		n.as = &n.user
	}
	n.kubelet = newKubelet(f, n)
	n.watches = make([]reflector.Reflector, len(f.kinds))
	for j, k := range f.kinds {
		n.watches[j] = reflector.Reflector{
			Shared: k.shared, Path: k.path, Query: strings.ReplaceAll(k.selector, "NODE", n.name),
			ID: uint64(j)<<32 | uint64(i),
		}
		if k.name == "pods" && !f.cfg.Pods.Off {
			n.watches[j].Sink = n.kubelet
		}
	}
	return n
}

// connect gives the node's watches their connections.
func (n *node) connect() {
	f := n.kubelet.Fleet
	for j, k := range f.kinds {
		w := &n.watches[j]
		w.Client, w.As = n.calls, n.as
		if k.proxy {
			w.Client, w.As = n.proxy, nil
			if f.cfg.AsNodes && !f.cfg.PerNode {
				w.As = &proxyUser
			}
		}
	}
}

// begin starts the node's watches, as its kubelet does when it starts and, if
// proxies is true, its kube-proxy.
func (n *node) begin(at int64, proxies bool) {
	for j, k := range n.kubelet.kinds {
		if !k.proxy || proxies {
			n.watches[j].Start(at)
		}
	}
}

// stop ends what the node's kubelet and, if proxies is true, its kube-proxy
// have open, and has the kubelet forget its pods. It adds to ended how many
// watches were open, by the resource's name in the API server's metrics.
func (n *node) stop(proxies bool, ended map[string]int) {
	f := n.kubelet.Fleet
	for j, k := range f.kinds {
		if k.proxy && !proxies {
			continue
		}
		if n.watches[j].Open() {
			resource, _, _ := strings.Cut(k.resource, ".")
			ended[resource]++
		}
		n.watches[j].Stop()
	}
	n.kubelet.forget()
	n.rests()
	if f.cfg.PerNode {
		n.calls.HangUp() // a process that ends leaves no connection
	}
	if f.cfg.PerProxy && proxies {
		n.proxy.HangUp()
	}
}

// ask makes one request of the node's. A silent node makes none.
func (n *node) ask(ctx context.Context, c *client.Client, r *client.Request, body *bytes.Buffer, keep int64) client.Answer {
	if n.silent.Load() {
		return client.Answer{Code: client.CodeCut, Cut: true}
	}
	return c.Do(ctx, r, body, keep)
}

// send begins one request of the node's, without waiting. A silent node makes
// none, nor does one whose load has ended.
func (n *node) send(ctx context.Context, c *client.Client, r *client.Request, body *bytes.Buffer, keep int64, cork *client.Cork, done func(client.Answer)) {
	if n.silent.Load() {
		done(client.Answer{Code: client.CodeCut, Cut: true})
		return
	}
	if f := n.kubelet.Fleet; ctx.Err() != nil {
		done(client.Unsent(f.env.Clock.Now(), f.cfg.Timeout))
		return
	}
	c.Send(ctx, r, body, keep, cork, done)
}

// imageCount is how many images a node reports to hold; kubelets report up to
// 50, which make most of a Node's size.
const imageCount = 20

// The labels that kubelets still set beside their stable twins; where they are
// missing, the node lifecycle controller patches every Node to add them.
const (
	labelOS   = "beta.kubernetes.io/os"
	labelArch = "beta.kubernetes.io/arch"
)

// object is the Node that a kubelet registers.
func (n *node) object(version string, labels map[string]string) *corev1.Node {
	all := map[string]string{
		corev1.LabelHostname:           n.name,
		corev1.LabelOSStable:           "linux",
		corev1.LabelArchStable:         "amd64",
		labelOS:                        "linux",
		labelArch:                      "amd64",
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
			Images: images(int(n.pulls.Load())),
		},
	}
}

// images are what a node holds after so many pulls, each of which has replaced
// one by its next version.
func images(pulls int) []corev1.ContainerImage {
	all := make([]corev1.ContainerImage, imageCount)
	for i := range all {
		newer := (pulls + imageCount - 1 - i) / imageCount
		name := "registry.example/team-" + strconv.Itoa(i%7) + "/service-" + strconv.Itoa(i)
		all[i] = corev1.ContainerImage{
			Names:     []string{fmt.Sprintf("%s@sha256:%064x", name, i+newer*imageCount), name + ":v1.2." + strconv.Itoa(3+newer)},
			SizeBytes: int64(i+1) * 25 << 20,
		}
	}
	return all
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
