package workloads

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/workloads/client"
	"github.com/storm-harness/storm/workloads/fleet"
	"github.com/storm-harness/storm/workloads/lean"
)

// carrier is a kind of object that can carry any number of bytes up to a limit,
// and at which nobody sets to work: no controller answers it with objects of
// its own.
type carrier struct {
	resource resource
	limit    unit.Size // of the bytes that it carries
	// why the limit is there, for messages
	why      string
	build    func(meta metav1.ObjectMeta, cargo string) runtime.Object // of built-in kinds
	template *template                                                 // of a scenario's own; with neither it is a widget
	json     bool                                                      // also of built-in kinds
}

// The API server's limits on what an object carries.
const (
	// dataLimit is that of a ConfigMap's and a Secret's values in sum:
	// MaxSecretSize in k8s.io/api/core/v1.
	dataLimit = unit.Size(corev1.MaxSecretSize)
	// annotationLimit is that of annotations in sum, TotalAnnotationSizeLimitB in
	// k8s.io/apimachinery/pkg/api/validation, less 1 KiB for their names and for
	// the one that patches set.
	annotationLimit = unit.Size(255 << 10)
	// requestLimit is etcd's on a request, 1.5 MiB by default
	// (--max-request-bytes), less 4 KiB for the object's key and metadata.
	requestLimit = unit.Size(1536<<10 - 4<<10)
)

// cargoKey names what carries the bytes: a key of a ConfigMap or Secret.
const cargoKey = "cargo"

// In other built-in kinds it is an annotation.
const cargoAnnotation = "storm.dev/cargo"

// carriers are the kinds of objects that loads can make in any size.
var carriers = map[string]carrier{
	"configmaps": {resource: resources["configmaps"], limit: dataLimit, why: "a ConfigMap's data may have 1MiB", build: func(meta metav1.ObjectMeta, cargo string) runtime.Object {
		return &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{cargoKey: cargo}}
	}},
	"secrets": {resource: resources["secrets"], limit: dataLimit, why: "a Secret's data may have 1MiB", build: func(meta metav1.ObjectMeta, cargo string) runtime.Object {
		return &corev1.Secret{ObjectMeta: meta, Type: corev1.SecretTypeOpaque, Data: map[string][]byte{cargoKey: []byte(cargo)}}
	}},
	"leases": {resource: resources["leases"], limit: annotationLimit, why: inAnnotations, build: func(meta metav1.ObjectMeta, cargo string) runtime.Object {
		return &coordinationv1.Lease{ObjectMeta: annotated(meta, cargo)}
	}},
	"endpointslices": {resource: resources["endpointslices"], limit: annotationLimit, why: inAnnotations, build: func(meta metav1.ObjectMeta, cargo string) runtime.Object {
		return &discoveryv1.EndpointSlice{
			ObjectMeta: annotated(meta, cargo), AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}}},
		}
	}},
	"pods": {resource: resources["pods"], limit: annotationLimit, why: inAnnotations, build: func(meta metav1.ObjectMeta, cargo string) runtime.Object {
		return &corev1.Pod{ObjectMeta: annotated(meta, cargo), Spec: idlePod()}
	}},
	"widgets": {resource: resources["widgets"], limit: requestLimit, why: etcdsLimit},
}

const (
	inAnnotations = "annotations carry it, and may have 256KiB with their names"
	etcdsLimit    = "etcd takes requests of 1.5MiB, of which metadata needs some"
)

func annotated(meta metav1.ObjectMeta, cargo string) metav1.ObjectMeta {
	meta.Annotations = map[string]string{cargoAnnotation: cargo}
	return meta
}

// noScheduler is the scheduler of pods that are to stay Pending, on no node.
const noScheduler = fleet.NoScheduler

// idlePod is the spec of a pod that nobody schedules.
func idlePod() corev1.PodSpec {
	no := false
	return corev1.PodSpec{
		SchedulerName: noScheduler, AutomountServiceAccountToken: &no,
		ServiceAccountName: "default", // as the API server fills it in at the creation, and at no update
		Containers:         []corev1.Container{{Name: "main", Image: "registry.k8s.io/pause:3.10"}},
	}
}

// findCarrier returns the carrier that a scenario names.
func findCarrier(name string) (carrier, error) {
	r, err := findResource(name)
	if err != nil {
		return carrier{}, err
	}
	if c, ok := carriers[r.name]; ok && c.resource == r {
		return c, nil
	}
	names := make([]string, 0, len(carriers))
	for name := range carriers {
		names = append(names, name)
	}
	slices.Sort(names)
	return carrier{}, fmt.Errorf("%s are no objects that carry bytes and that nobody sets to work at: write one of %s, or say with object what each is to be", name, strings.Join(names, ", "))
}

// checkSize says where sizes are beyond what the kind can carry; of a
// distribution without an end one in a thousand may be.
func (c carrier) checkSize(field string, s unit.Sizes) []string {
	if unit.Size(s.Most()) > c.limit {
		return []string{fmt.Sprintf("%s: %s goes above the limit of %s for %s: %s", field, s, c.limit, c.resource.name, c.why)}
	}
	return nil
}

// size draws one; what a distribution without an end draws beyond the limit is
// cut to it.
func (c carrier) size(s unit.Sizes, rng *rand.Rand) int {
	return int(min(s.At(rng.Float64()), c.limit.Bytes()))
}

// contentType is what the kind's objects are encoded as.
func (c carrier) contentType() string {
	if c.build == nil || c.json {
		return client.JSON
	}
	return client.Protobuf
}

// head is how much of an answer must be seen to learn the object's version.
func (c carrier) head() int64 {
	switch {
	case c.template != nil:
		return c.template.head(c.limit)
	case c.json: // its metadata must be seen whole, with the annotation that may carry it
		return lean.HeadSize + c.limit.Bytes()
	}
	return lean.HeadSize
}

// encode returns an object as a request's body.
func (c carrier) encode(meta metav1.ObjectMeta, cargo string) ([]byte, error) {
	switch {
	case c.template != nil:
		return c.template.encode(meta, cargo)
	case c.build == nil:
		return json.Marshal(newWidget(meta, cargo)) //nolint:wrapcheck // texts cannot fail
	}
	return client.EncodeAs(c.build(meta, cargo), c.contentType())
}

// hold is a store of text to load objects from: letters and digits at random,
// which hardly compress, and which JSON and YAML take as they are.
type hold string

// newHold fills a hold from which cargo of up to that size can be taken.
func newHold(seed int64, largest unit.Size) hold {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	rng := rand.New(rand.NewPCG(uint64(seed), 0x686f6c64))
	text := make([]byte, max(2*largest.Bytes(), 64<<10))
	for i := 0; i < len(text); i += 10 {
		for v, j := rng.Uint64(), i; j < min(i+10, len(text)); v, j = v>>6, j+1 {
			text[j] = letters[v&63]
		}
	}
	return hold(text)
}

// take returns size bytes from a place at random; it copies nothing.
func (h hold) take(size int, rng *rand.Rand) string {
	at := rng.IntN(len(h) - size + 1)
	return string(h[at : at+size])
}
