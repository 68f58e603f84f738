// Package ready says whether a component does its work, and a cluster its first;
// and where one does not, what its log says last.
package ready

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/etcd"
)

// Probe looks whether a component does its work. Close it after use.
type Probe struct {
	Look  func(context.Context) error
	Close func()
}

// Member makes linearizable reads at the member of that client URL: it serves,
// follows a leader, and a quorum confirms that.
func Member(url string, secure *tls.Config) (Probe, error) {
	client, err := etcd.Open(url, secure)
	if err != nil {
		return Probe{}, err
	}
	return Probe{Look: client.Health, Close: client.Close}, nil
}

// Server asks a health page.
func Server(url string, secure *tls.Config) Probe {
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
	return Probe{Look: look, Close: transport.CloseIdleConnections}
}

// Elected are the Leases that controller managers and schedulers elect by, in
// the namespace kube-system.
var Elected = map[clusters.Kind]string{
	clusters.KindControllerManager: "kube-controller-manager",
	clusters.KindScheduler:         "kube-scheduler",
}

// Led adds to a probe that the component's kind has a leader: its Lease was
// renewed after the component started, by itself or by another.
func (p Probe) Led(leases coordination.LeaseInterface, lease string, began func() time.Time) Probe {
	healthy := p.Look
	p.Look = func(ctx context.Context) error {
		if err := healthy(ctx); err != nil {
			return err
		}
		l, err := leases.Get(ctx, lease, metav1.GetOptions{})
		if err != nil {
			return fmt.Errorf("who leads: %w", err)
		}
		// A Lease has microseconds.
		started := began().Truncate(time.Microsecond)
		if l.Spec.HolderIdentity == nil || *l.Spec.HolderIdentity == "" || l.Spec.RenewTime == nil || l.Spec.RenewTime.Time.Before(started) {
			return fmt.Errorf("nobody has taken the lease %s yet", lease)
		}
		return nil
	}
	return p
}

// Every is how often a starting component is looked at.
const Every = 20 * time.Millisecond

// endedError is why a component that has ended does not do its work.
type endedError struct{ error }

func (e endedError) Unwrap() error { return e.error }

// Ended says whether Await gave a component up because it did not run any more.
func Ended(err error) bool {
	var ended endedError
	return errors.As(err, &ended)
}

// Await returns when the component does its work; when it has ended, or ctx
// does, with what failed makes of the reason.
func Await(ctx context.Context, p Probe, state func() clusters.State, failed func(how string) error) error {
	ticker := time.NewTicker(Every)
	defer ticker.Stop()
	var last error
	for {
		// A look has a bound of its own: a server that takes the connection and
		// does not answer must not hold up the next look.
		look, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := p.Look(look)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		if st := state(); !st.Running {
			return endedError{failed(fmt.Sprintf("ended before it was ready (%s)", st.Exit))}
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return failed(fmt.Sprintf("did not get ready (%v): %v", context.Cause(ctx), last))
		case <-ticker.C:
		}
	}
}
