package faults

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/remains"
)

// filler writes large objects that end up in a given shard.
type filler struct {
	client    kubernetes.Interface
	namespace string
	events    bool // Events rather than ConfigMaps
	labels    map[string]string
}

// fillerFor picks the kind of object that the shard holds.
func fillerFor(spec clusters.Spec, shard string, client kubernetes.Interface, runID string) (*filler, error) {
	f := &filler{client: client, namespace: "storm-quota", labels: map[string]string{remains.RunLabel: runID}}
	switch shard {
	case spec.Holder("/configmaps"):
		return f, nil
	case spec.Holder("/events"):
		f.events = true
		return f, nil
	}
	return nil, fmt.Errorf("shard %s holds neither configmaps nor events, so storm cannot fill it through the apiserver", shard)
}

// prepare makes the namespace.
func (f *filler) prepare(ctx context.Context) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: f.namespace, Labels: f.labels}}
	_, err := f.client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// write puts the text into object number n, making it if it is not there.
// Updates carry no resourceVersion: the last one wins.
func (f *filler) write(ctx context.Context, n int, text string) error {
	meta := metav1.ObjectMeta{Name: fmt.Sprintf("filler-%d", n), Namespace: f.namespace, Labels: f.labels}
	if f.events {
		ev := &corev1.Event{ObjectMeta: meta, Message: text, Reason: "StormQuota", Type: "Normal",
			InvolvedObject: corev1.ObjectReference{Kind: "Namespace", Name: f.namespace, Namespace: f.namespace}}
		return f.put(ctx, "events", meta.Name, ev)
	}
	return f.put(ctx, "configmaps", meta.Name, &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"filling": text}})
}

// put updates the object, or creates it. Only its metadata is asked for in the
// answer: to have a large object sent back would take as long as to write it.
func (f *filler) put(ctx context.Context, resource, name string, object runtime.Object) error {
	const metadataOnly = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	client := f.client.CoreV1().RESTClient()
	err := client.Put().Namespace(f.namespace).Resource(resource).Name(name).SetHeader("Accept", metadataOnly).Body(object).Do(ctx).Error()
	if apierrors.IsNotFound(err) {
		err = client.Post().Namespace(f.namespace).Resource(resource).SetHeader("Accept", metadataOnly).Body(object).Do(ctx).Error()
	}
	return err
}

// remove deletes the objects, and goes on for a minute while the apiserver does not come
// to it; those that are not there are no error.
func (f *filler) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, quotaPatience)
	defer cancel()
	var refused error
	err := acts.UntilEvery(ctx, quotaPause, func(ctx context.Context) error {
		err := f.removeOnce(ctx)
		if hopeless(err) {
			refused = err
			return nil
		}
		return err
	})
	return errors.Join(err, refused)
}

func (f *filler) removeOnce(ctx context.Context) error {
	for n := range quotaWriters {
		name := fmt.Sprintf("filler-%d", n)
		var err error
		if f.events {
			err = f.client.CoreV1().Events(f.namespace).Delete(ctx, name, metav1.DeleteOptions{})
		} else {
			err = f.client.CoreV1().ConfigMaps(f.namespace).Delete(ctx, name, metav1.DeleteOptions{})
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("removing %s/%s: %w", f.namespace, name, err)
		}
	}
	return nil
}
