package local

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"time"

	"github.com/storm-harness/storm/clusters"
)

// elected are the Leases that controller managers and schedulers elect by.
var elected = map[clusters.Kind]string{
	clusters.KindControllerManager: "kube-controller-manager",
	clusters.KindScheduler:         "kube-scheduler",
}

// leadersHold waits until each kind of which any runs has a leader.
func (c *Cluster) leadersHold(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.Access().REST)
	if err != nil {
		return err
	}
	ticker := time.NewTicker(readyEvery)
	defer ticker.Stop()
	for kind, lease := range elected {
		for len(c.handles(kind)) > 0 {
			l, err := client.CoordinationV1().Leases("kube-system").Get(ctx, lease, metav1.GetOptions{})
			if err == nil && l.Spec.HolderIdentity != nil && *l.Spec.HolderIdentity != "" {
				break
			}
			if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
				return fmt.Errorf("leader of %s: %w", kind, err)
			}
			select {
			case <-ctx.Done():
				return c.handles(kind)[0].failed("got no leader: " + context.Cause(ctx).Error())
			case <-ticker.C:
			}
		}
	}
	return nil
}

// dropLeases deletes the Leases of components that have been stopped: in a
// golden copy they would stall the next ones for as long as they are valid.
func (c *Cluster) dropLeases(ctx context.Context) error {
	client, err := kubernetes.NewForConfig(c.Access().REST)
	if err != nil {
		return err
	}
	var errs []error
	for _, lease := range elected {
		err := client.CoordinationV1().Leases("kube-system").Delete(ctx, lease, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("lease %s: %w", lease, err))
		}
	}
	return errors.Join(errs...)
}
