package kind

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/ready"
)

// Ready implements clusters.Restarter.
func (p *part) Ready(ctx context.Context) error {
	probe := ready.Server(p.endpoints.Client+p.health, p.node.cluster.adminTLS)
	defer probe.Close()
	p.mu.Lock()
	change := p.change
	p.mu.Unlock()
	lease := ready.Elected[p.id.Kind]
	if lease != "" && p.node.base[p.name()].flags().Deployed(p.deployment(), change.Flags).Value("leader-elect") == "true" {
		leases, err := p.node.cluster.leases()
		if err != nil {
			return fmt.Errorf("%s: %w", p.id, err)
		}
		probe = probe.Led(leases, lease, func() time.Time { return p.State().Started })
	}
	return p.serves(ctx, probe)
}

// serves waits until the probe finds the component at work. Its kubelet starts anew what
// ends: a controller ends by itself where its apiserver does not answer in time, and an
// apiserver's kubelet ends it where etcd does not, so that only a second end is a failure.
func (p *part) serves(ctx context.Context, probe ready.Probe) error {
	await := func() error { return ready.Await(ctx, probe, p.State, p.failed) }
	if st := p.State(); st.Running || st.Asked {
		err := await()
		if !ready.Ended(err) || p.State().Asked {
			return err
		}
	}
	if err := p.await(ctx, func(s clusters.State) bool { return s.Running || s.Asked }); err != nil {
		return errors.Join(err, p.failed("has ended, and was not started anew"))
	}
	return await()
}

// failed is why the component does not do its work. What a process that has ended logged
// its container's runtime has: the copy in the log's file comes a moment later.
func (p *part) failed(how string) error {
	p.mu.Lock()
	from, box, runs := p.logged, p.ended, p.state.Running
	p.mu.Unlock()
	how = strings.TrimSpace(how)
	if !runs && box != "" {
		if _, said, err := p.node.lastWords(p.node.cluster.alive, box); err == nil && said != "" {
			return ready.FailedSaying(p.id, how, p.log, said)
		}
	}
	return ready.Failed(p.id, how, p.log, from)
}

// leases is a client of the Leases that components elect by, at an apiserver
// that runs.
func (c *Cluster) leases() (coordination.LeaseInterface, error) {
	config := c.Access().REST
	for _, p := range c.partsOf(clusters.KindAPIServer) {
		if p.State().Running {
			config.Host = p.endpoints.Client
			break
		}
	}
	client, err := coordination.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return client.Leases(metav1.NamespaceSystem), nil
}
