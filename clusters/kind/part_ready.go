package kind

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/ready"
)

// Ready implements clusters.Restarter. A component that has ended unasked its kubelet starts
// anew, and that is waited for; one that ends by itself while it starts may do so once.
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
	if st := p.State(); !st.Running && !st.Asked {
		if err := p.comesBack(ctx); err != nil {
			return err
		}
	}
	err := p.serves(ctx, probe)
	if !ready.Ended(err) || p.State().Asked {
		return err
	}
	how, own := p.byItself(ctx)
	if !own {
		return err
	}
	p.node.cluster.o.Sink(clusters.Event{Tell: true, Component: p.id.String(), Text: "ended by itself as it started (" + how + "); its kubelet starts it anew"})
	if again := p.comesBack(ctx); again != nil {
		return errors.Join(err, again)
	}
	return p.serves(ctx, probe)
}

// serves waits until the probe finds the component at work.
func (p *part) serves(ctx context.Context, probe ready.Probe) error {
	return ready.Await(ctx, probe, p.State, func(how string) error { return p.failed(ctx, how) })
}

// kubeletStarts bounds how long a kubelet may take to start anew what ended: of what has
// ended again and again it waits longer each time.
const kubeletStarts = 2 * time.Minute

// comesBack waits until the kubelet has started the component anew.
func (p *part) comesBack(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, kubeletStarts, fmt.Errorf("it has ended, and its kubelet did not start it anew within %s", kubeletStarts))
	defer cancel()
	if err := p.await(ctx, func(s clusters.State) bool { return s.Running || s.Asked }); err != nil {
		return fmt.Errorf("%w%s", err, p.node.kubeletSays())
	}
	return nil
}

// byItself says how the process ended, and whether it was of those that end as they
// start though nothing is wrong with them: a controller whose apiserver does not answer
// in time ends with status 1, and an apiserver that its kubelet finds slow is asked to.
func (p *part) byItself(ctx context.Context) (how string, own bool) {
	p.mu.Lock()
	box := p.ended
	p.mu.Unlock()
	if box == "" {
		return "", false
	}
	code, said, err := p.node.lastWords(ctx, box)
	if err != nil {
		return "", false
	}
	how = ready.Words(exitText("exit status "+strconv.Itoa(code)), said)
	if p.id.Kind == clusters.KindAPIServer {
		return how, code == 0
	}
	return how, code == 1
}

// failed is why the component does not do its work. What a process that has ended logged
// its container's runtime has: the copy in the log's file comes a moment later.
func (p *part) failed(ctx context.Context, how string) error {
	p.mu.Lock()
	from, box, runs := p.logged, p.ended, p.state.Running
	p.mu.Unlock()
	how = strings.TrimSpace(how)
	if !runs && box != "" {
		if _, said, err := p.node.lastWords(ctx, box); err == nil && said != "" {
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
