package existing

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/storm-harness/storm/internal/apart"
	"github.com/storm-harness/storm/internal/remains"
)

// neighbours looks at who lives in the cluster already: its nodes, and what
// simulated nodes would draw to themselves.
func (s *Seen) neighbours(ctx context.Context, fleet int) error {
	routed := false
	err := pages(func(o metav1.ListOptions) (string, error) {
		list, err := s.kube.CoreV1().Nodes().List(ctx, o)
		if err != nil {
			return "", fmt.Errorf("its nodes: %w", err)
		}
		s.nodes += len(list.Items)
		routed = routed || slices.ContainsFunc(list.Items, func(n corev1.Node) bool { return n.Spec.PodCIDR != "" })
		return list.Continue, nil
	})
	if err != nil || fleet == 0 {
		return err
	}
	if routed {
		s.note("The cluster gives every node a range of addresses for its pods (spec.podCIDR): %d simulated nodes take as many, until they are removed. Where its --cluster-cidr has no more (a /16 has 256 of the usual size), a real node that joins meanwhile gets none.", fleet)
	}
	drawn, err := s.drawn(ctx)
	if err != nil {
		return err
	}
	if len(drawn) > 0 {
		s.problem("simulated nodes would draw pods that are not storm's, and nobody would run them: %s tolerate every taint and select no operating system: give them a nodeSelector such as kubernetes.io/os: linux", few(drawn, func(name string) string { return name }))
	}
	return nil
}

// pages follows a list to its end.
func pages(page func(metav1.ListOptions) (next string, err error)) error {
	o := metav1.ListOptions{Limit: 500}
	for {
		next, err := page(o)
		if err != nil || next == "" {
			return err
		}
		o.Continue = next
	}
}

// drawn names what makes pods that would come to a simulated node.
func (s *Seen) drawn(ctx context.Context) ([]string, error) {
	var out []string
	see := func(kind string, m metav1.ObjectMeta, pod corev1.PodSpec) {
		_, storms := m.Labels[remains.RunLabel] // of a run that was killed, say
		if !storms && metav1.GetControllerOf(&m) == nil && apart.Draws(pod) {
			out = append(out, fmt.Sprintf("%s %s/%s", kind, m.Namespace, m.Name))
		}
	}
	for _, list := range makers {
		if err := pages(func(o metav1.ListOptions) (string, error) { return list(ctx, s.kube, o, see) }); err != nil {
			return nil, fmt.Errorf("what makes pods in it: %w", err)
		}
	}
	return out, nil
}

// see takes what makes pods, with the spec of these.
type see func(kind string, m metav1.ObjectMeta, pod corev1.PodSpec)

// makers list what makes pods in a cluster. Pods that are bound already do not
// move.
var makers = []func(context.Context, kubernetes.Interface, metav1.ListOptions, see) (string, error){
	func(ctx context.Context, k kubernetes.Interface, o metav1.ListOptions, see see) (string, error) {
		l, err := k.AppsV1().DaemonSets("").List(ctx, o)
		if err != nil {
			return "", err
		}
		for _, i := range l.Items {
			see("DaemonSet", i.ObjectMeta, i.Spec.Template.Spec)
		}
		return l.Continue, nil
	},
	func(ctx context.Context, k kubernetes.Interface, o metav1.ListOptions, see see) (string, error) {
		l, err := k.AppsV1().Deployments("").List(ctx, o)
		if err != nil {
			return "", err
		}
		for _, i := range l.Items {
			see("Deployment", i.ObjectMeta, i.Spec.Template.Spec)
		}
		return l.Continue, nil
	},
	func(ctx context.Context, k kubernetes.Interface, o metav1.ListOptions, see see) (string, error) {
		l, err := k.AppsV1().StatefulSets("").List(ctx, o)
		if err != nil {
			return "", err
		}
		for _, i := range l.Items {
			see("StatefulSet", i.ObjectMeta, i.Spec.Template.Spec)
		}
		return l.Continue, nil
	},
	func(ctx context.Context, k kubernetes.Interface, o metav1.ListOptions, see see) (string, error) {
		l, err := k.BatchV1().CronJobs("").List(ctx, o)
		if err != nil {
			return "", err
		}
		for _, i := range l.Items {
			see("CronJob", i.ObjectMeta, i.Spec.JobTemplate.Spec.Template.Spec)
		}
		return l.Continue, nil
	},
	func(ctx context.Context, k kubernetes.Interface, o metav1.ListOptions, see see) (string, error) {
		l, err := k.BatchV1().Jobs("").List(ctx, o)
		if err != nil {
			return "", err
		}
		for _, i := range l.Items {
			if i.Status.CompletionTime == nil {
				see("Job", i.ObjectMeta, i.Spec.Template.Spec)
			}
		}
		return l.Continue, nil
	},
}
