package ready

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// Patience bounds how long a cluster may take to start on a busy machine.
const Patience = 5 * time.Minute

// Patiently repeats a look until it finds what it looks for, or Patience is over.
func Patiently(ctx context.Context, look func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	ticker := time.NewTicker(10 * Every)
	defer ticker.Stop()
	for {
		err := look(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, ctx.Err())
		case <-ticker.C:
		}
	}
}

// eachNamespace is what controllers may take for one, with their clients' limits of
// requests a second.
const eachNamespace = 250 * time.Millisecond

// Settled returns when the controllers have done their work of a new cluster:
// every namespace has its default service account and its root certificate. They
// are given longer where there are many.
func Settled(ctx context.Context, config *rest.Config) error {
	client, err := core.NewForConfig(config)
	if err != nil {
		return err
	}
	namespaces, err := client.Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("namespaces of the new cluster: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, Patience+time.Duration(len(namespaces.Items))*eachNamespace)
	defer cancel()
	for _, ns := range namespaces.Items {
		if err := until(ctx, func() error {
			_, err := client.ServiceAccounts(ns.Name).Get(ctx, "default", metav1.GetOptions{})
			return err
		}); err != nil {
			return fmt.Errorf("the controllers' first work: %w", err)
		}
		if err := until(ctx, func() error {
			_, err := client.ConfigMaps(ns.Name).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
			return err
		}); err != nil {
			return fmt.Errorf("the controllers' first work: %w", err)
		}
	}
	return nil
}

// until repeats a look until it finds something. A server with much to do may turn
// a look away.
func until(ctx context.Context, look func() error) error {
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	for {
		err := look()
		if err == nil || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, ctx.Err())
		case <-ticker.C:
		}
	}
}
