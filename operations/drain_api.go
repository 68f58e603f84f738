package operations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/storm-harness/storm/acts"
)

// drainAPI is what a drain asks of the API server, as kubectl drain does
// (k8s.io/kubectl pkg/drain).
type drainAPI struct{ kube kubernetes.Interface }

// cordon makes a node unschedulable, or schedulable again.
func (a drainAPI) cordon(ctx context.Context, node string, on bool) error {
	patch := fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, on)
	_, err := a.kube.CoreV1().Nodes().Patch(ctx, node, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	return err
}

// pods lists what is on a node.
func (a drainAPI) pods(ctx context.Context, node string) ([]corev1.Pod, error) {
	list, err := a.kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node})
	if err != nil {
		return nil, fmt.Errorf("list its pods: %w", err)
	}
	return list.Items, nil
}

// evictable returns the pods on a node that are to be evicted, and how many stay.
func (a drainAPI) evictable(ctx context.Context, node string, force bool) ([]corev1.Pod, int, error) {
	all, err := a.pods(ctx, node)
	if err != nil {
		return nil, 0, err
	}
	return sift(all, force)
}

// sift tells the pods to be evicted from those that stay: mirror pods, which are
// the kubelet's own, and those of a DaemonSet, which would come back at once, as
// with kubectl drain --ignore-daemonsets. A pod that no controller would make
// anew is an error unless force is true. Volumes of the kind emptyDir are no
// hindrance: on a simulated node they hold nothing.
func sift(all []corev1.Pod, force bool) (evict []corev1.Pod, stay int, err error) {
	var alone []string
	for _, p := range all {
		owner := metav1.GetControllerOf(&p)
		_, mirror := p.Annotations[corev1.MirrorPodAnnotationKey]
		finished := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		switch {
		case mirror:
			stay++
		case finished:
			evict = append(evict, p)
		case owner != nil && owner.Kind == "DaemonSet" && owner.APIVersion == "apps/v1":
			stay++
		case owner == nil && !force:
			alone = append(alone, p.Namespace+"/"+p.Name)
		default:
			evict = append(evict, p)
		}
	}
	if len(alone) > 0 {
		return nil, 0, fmt.Errorf("no controller would make the pod %s anew: to evict it all the same, write force: true", strings.Join(alone, ", "))
	}
	return evict, stay, nil
}

// evictAgain is how long kubectl drain waits before it asks again for an
// eviction that a PodDisruptionBudget does not allow yet.
const evictAgain = 5 * time.Second

// evict evicts one pod, and returns whether the API server took it, and how
// often it had put it off before. It did not take it where the pod goes anyway.
func (a drainAPI) evict(ctx context.Context, p *corev1.Pod) (taken bool, refused int, err error) {
	eviction := &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Name: p.Name, Namespace: p.Namespace},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &p.UID}},
	}
	for {
		err := a.kube.CoreV1().Pods(p.Namespace).EvictV1(ctx, eviction)
		switch {
		case err == nil:
			return true, refused, nil
		case apierrors.IsNotFound(err):
			return false, refused, nil
		case apierrors.IsConflict(err):
			// Another pod has its name by now, or several evictions were at odds
			// over their budget.
			if now, err := a.kube.CoreV1().Pods(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{}); err == nil && now.UID != p.UID {
				return false, refused, nil
			}
		case apierrors.IsForbidden(err) && apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
			// It goes with its namespace; that is waited for.
			return false, refused, nil
		case !apierrors.IsTooManyRequests(err):
			return false, refused, fmt.Errorf("evict %s/%s: %w", p.Namespace, p.Name, err)
		}
		pause := lookAgain
		if apierrors.IsTooManyRequests(err) {
			refused++
			pause = evictAgain
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false, refused, fmt.Errorf("evict %s/%s: put off %d times, last because %w", p.Namespace, p.Name, refused, err)
		}
	}
}

// lookAgain is how often it is looked whether pods are gone.
const lookAgain = 250 * time.Millisecond

// awaitGone waits until none of the pods is on the node any more.
func (a drainAPI) awaitGone(ctx context.Context, node string, pods []corev1.Pod) error {
	wanted := map[types.UID]bool{}
	for _, p := range pods {
		wanted[p.UID] = true
	}
	return acts.UntilEvery(ctx, lookAgain, func(ctx context.Context) error {
		now, err := a.pods(ctx, node)
		if err != nil {
			return err
		}
		there := slices.DeleteFunc(now, func(p corev1.Pod) bool { return !wanted[p.UID] })
		if len(there) > 0 {
			return fmt.Errorf("%d of %d pods are still there, such as %s/%s", len(there), len(pods), there[0].Namespace, there[0].Name)
		}
		return nil
	})
}

// awaitSchedulable waits until the API server has all the nodes as schedulable.
func (a drainAPI) awaitSchedulable(ctx context.Context, nodes []string) error {
	return acts.UntilEvery(ctx, lookAgain, func(ctx context.Context) error {
		list, err := a.kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for i := range list.Items {
			if n := &list.Items[i]; n.Spec.Unschedulable && slices.Contains(nodes, n.Name) {
				return errors.New(n.Name + " is still cordoned")
			}
		}
		return nil
	})
}
