package kind

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/ready"
)

// startAgain starts the members, and the kubelets with the manifests of the spec.
func (c *Cluster) startAgain(ctx context.Context, began time.Time) error {
	if len(c.stackedParts()) > 0 { // which kubelets start
		if err := each(ctx, c.allNodes(), func(ctx context.Context, n *node) error {
			_, err := n.run(ctx, "systemctl start kubelet")
			return err
		}); err != nil {
			return fmt.Errorf("starting the kubelets: %w", err)
		}
	}
	if err := c.startMembers(ctx, began); err != nil {
		return err
	}
	if err := c.dropLeases(ctx); err != nil {
		return err
	}
	parts, _ := c.newParts(c.Spec())
	c.mu.Lock()
	c.parts = parts
	c.mu.Unlock()
	ctx, cancel := context.WithTimeoutCause(ctx, ready.Patience, fmt.Errorf("the cluster took longer than %s to start", ready.Patience))
	defer cancel()
	// Controllers end themselves where their apiserver does not answer within ten
	// seconds: a node's come after its own.
	if err := each(ctx, c.allNodes(), func(ctx context.Context, n *node) error {
		var servers, controllers []*part
		for _, p := range parts {
			switch {
			case p.node != n:
			case p.id.Kind == clusters.KindAPIServer:
				servers = append(servers, p)
			default:
				controllers = append(controllers, p)
			}
		}
		if err := n.serve(ctx, servers, began); err != nil {
			return err
		}
		return n.serve(ctx, controllers, began)
	}); err != nil {
		return err
	}
	if err := c.startWorkers(ctx); err != nil {
		return err
	}
	return c.mirrored(ctx)
}

// serve has the node's kubelet run components, and returns when all serve.
func (n *node) serve(ctx context.Context, parts []*part, began time.Time) error {
	var scripts []string
	for _, p := range parts {
		script, err := p.placing(ctx, clusters.Change{})
		if err != nil {
			return err
		}
		scripts = append(scripts, script)
	}
	if _, err := n.run(ctx, strings.Join(append(scripts, "systemctl start kubelet"), " && ")); err != nil {
		return fmt.Errorf("node %s: starting its control plane: %w", n.name, err)
	}
	return each(ctx, parts, func(ctx context.Context, p *part) error {
		if err := p.started(ctx, func(s clusters.State) bool { return s.Running }); err != nil {
			return err
		}
		if err := p.Ready(ctx); err != nil {
			return err
		}
		n.cluster.o.Sink(clusters.Event{Component: p.id.String(), Text: "ready after " + seconds(time.Since(began))})
		return nil
	})
}

// startWorkers starts the workers' kubelets, and returns when the apiserver has
// heard from each.
func (c *Cluster) startWorkers(ctx context.Context) error {
	c.mu.Lock()
	workers := c.workers
	c.mu.Unlock()
	if len(workers) == 0 {
		return nil
	}
	client, err := coordination.NewForConfig(c.Access().REST)
	if err != nil {
		return err
	}
	return each(ctx, workers, func(ctx context.Context, n *node) error {
		began := time.Now()
		if _, err := n.run(ctx, "systemctl start kubelet"); err != nil {
			return err
		}
		return ready.Patiently(ctx, func(ctx context.Context) error {
			lease, err := client.Leases(corev1.NamespaceNodeLease).Get(ctx, n.name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if at := lease.Spec.RenewTime; at == nil || at.Before(&metav1.MicroTime{Time: began}) {
				return fmt.Errorf("the kubelet of %s has not renewed its lease", n.name)
			}
			return nil
		})
	})
}
