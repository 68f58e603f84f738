package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	core "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/procfs"
)

// settled returns when the controllers have done their work of a new cluster:
// every namespace has its default service account and its root certificate.
// Without controllers there is nothing to wait for.
func (c *Cluster) settled(ctx context.Context) error {
	if len(c.handles(clusters.KindControllerManager)) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := core.NewForConfig(c.Access().REST)
	if err != nil {
		return err
	}
	namespaces, err := client.Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("namespaces of the new cluster: %w", err)
	}
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

// until repeats a look until it finds something.
func until(ctx context.Context, look func() error) error {
	ticker := time.NewTicker(readyEvery)
	defer ticker.Stop()
	for {
		err := look()
		if err == nil || !apierrors.IsNotFound(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, ctx.Err())
		case <-ticker.C:
		}
	}
}

// awaitFrozen returns when every thread of a process has stopped.
func awaitFrozen(ctx context.Context, pid int) error {
	for {
		moving, err := movingThreads(pid)
		if err != nil || moving == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d does not stand still: %w", pid, ctx.Err())
		case <-time.After(time.Millisecond):
		}
	}
}

// movingThreads counts the threads of a process that are not stopped.
func movingThreads(pid int) (int, error) {
	tasks, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(pid), "task"))
	if err != nil {
		return 0, err
	}
	moving := 0
	for _, t := range tasks {
		tid, err := strconv.Atoi(t.Name())
		if err != nil {
			return 0, err
		}
		// A thread has a stat of its own in /proc, though no entry in its list.
		stat, err := procfs.ReadStat(tid)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has just ended
		}
		if err != nil {
			return 0, err
		}
		if stat.State != 'T' {
			moving++
		}
	}
	return moving, nil
}
