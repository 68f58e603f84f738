package local

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/etcd"
)

// probe looks whether a component does its work.
type probe struct {
	look  func(context.Context) error
	close func()
}

// memberProbe makes linearizable reads at a member: it serves, follows a
// leader, and a quorum confirms that.
func (c *Cluster) memberProbe(m site) (probe, error) {
	client, err := etcd.Open(m.url(), c.etcdTLS)
	if err != nil {
		return probe{}, err
	}
	return probe{look: client.Health, close: client.Close}, nil
}

// serverProbe asks a health page, as the admin.
func (c *Cluster) serverProbe(url string) (probe, error) {
	secure, err := c.pki.clientTLS(adminPair, clusterCA)
	if err != nil {
		return probe{}, err
	}
	transport := &http.Transport{TLSClientConfig: secure}
	client := &http.Client{Transport: transport}
	look := func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
		if err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s: %s", url, resp.Status, body)
		}
		return nil
	}
	return probe{look: look, close: transport.CloseIdleConnections}, nil
}

// elected are the Leases that controller managers and schedulers elect by.
var elected = map[clusters.Kind]string{
	clusters.KindControllerManager: "kube-controller-manager",
	clusters.KindScheduler:         "kube-scheduler",
}

// leaderProbe adds to a probe that the component's kind has a leader: its
// Lease was renewed after the component started, by itself or by another.
func (c *Cluster) leaderProbe(p probe, comp *component, lease string) (probe, error) {
	leases, err := c.leases()
	if err != nil {
		return probe{}, err
	}
	healthy := p.look
	p.look = func(ctx context.Context) error {
		if err := healthy(ctx); err != nil {
			return err
		}
		l, err := leases.Get(ctx, lease, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("who leads: %w", err)
		}
		// A Lease has microseconds.
		started := comp.State().Started.Truncate(time.Microsecond)
		if l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "" || l.Spec.RenewTime == nil || l.Spec.RenewTime.Time.Before(started) {
			return fmt.Errorf("nobody has taken the lease %s yet", lease)
		}
		return nil
	}
	return p, nil
}

// leases is a client of the Leases that components elect by, at an apiserver
// that runs.
func (c *Cluster) leases() (coordination.LeaseInterface, error) {
	config := c.Access().REST
	for _, h := range c.handles(clusters.KindAPIServer) {
		if h.State().Running {
			config.Host = h.endpoints.Client
			break
		}
	}
	client, err := coordination.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return client.Leases(metav1.NamespaceSystem), nil
}
