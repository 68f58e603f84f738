package existing

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/storm-harness/storm/clusters"
)

const (
	// An API server renews its identity's lease every 10 s and holds it for an
	// hour; one that has not for two minutes is gone.
	identityFresh = 2 * time.Minute
	identities    = "apiserver.kubernetes.io/identity=kube-apiserver"
	// directly is how long an API server's own address may take to answer.
	directly = 3 * time.Second
)

// apiServers finds the API servers. Each that is reached by its own address is
// a component. Behind one address that several share nobody knows which of them
// answers: then that address is the component, and metrics are not read, since
// the counters would be now one server's and now another's.
func (s *Seen) apiServers(ctx context.Context, metrics bool) error {
	if !metrics {
		s.note("Its user may not read /metrics: the apiservers' own metrics are not measured.")
	}
	own, err := s.addresses(ctx)
	if err != nil {
		return err
	}
	alive, err := s.identities(ctx)
	if err != nil {
		return err
	}
	s.servers = max(1, len(own), alive)
	base, _, err := rest.DefaultServerUrlFor(s.config)
	if err != nil {
		return err
	}
	named := base.Scheme + "://" + base.Host + base.Path
	reached := s.reached(ctx, own)
	sure := len(own) >= alive // each address is one server's
	var urls []string
	switch {
	case sure && len(reached) > 0 && (s.servers > 1 || len(reached) == s.servers):
		urls = reached
	case s.servers == 1:
		urls = []string{named}
	default:
		urls, metrics = []string{named}, false
		s.note("The cluster has %d apiservers behind %s, and none is reached by an address of its own: their metrics are not measured, and what is probed is whichever of them answers.", s.servers, base.Host)
	}
	if len(urls) < s.servers && len(reached) > 0 && sure {
		s.note("%d of %d apiservers are reached by their own addresses; of the others nothing is measured.", len(urls), s.servers)
	}
	for i, url := range urls {
		c := &component{id: clusters.ID{Kind: clusters.KindAPIServer, Index: i}, endpoints: clusters.Endpoints{Client: url}}
		if metrics {
			c.endpoints.Metrics = url + "/metrics"
		}
		s.components = append(s.components, c)
	}
	return nil
}

// addresses are those under which the API servers say that they are reached:
// the endpoints of the Service kubernetes.
func (s *Seen) addresses(ctx context.Context) ([]string, error) {
	list, err := s.kube.DiscoveryV1().EndpointSlices(metav1.NamespaceDefault).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=kubernetes"})
	if err != nil {
		return nil, fmt.Errorf("the addresses of the API servers (endpoints of the Service kubernetes): %w", err)
	}
	var out []string
	for _, sl := range list.Items {
		for _, p := range sl.Ports {
			if p.Port == nil || p.Name != nil && *p.Name != "https" {
				continue
			}
			for _, e := range sl.Endpoints {
				for _, a := range e.Addresses {
					out = append(out, net.JoinHostPort(a, strconv.Itoa(int(*p.Port))))
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// identities is how many API servers say that they are alive. Several of one
// host share a lease, so there may be more.
func (s *Seen) identities(ctx context.Context) (int, error) {
	list, err := s.kube.CoordinationV1().Leases(metav1.NamespaceSystem).List(ctx, metav1.ListOptions{LabelSelector: identities})
	if err != nil {
		return 0, fmt.Errorf("the leases of the API servers: %w", err)
	}
	n := 0
	for _, l := range list.Items {
		if l.Spec.RenewTime != nil && time.Since(l.Spec.RenewTime.Time) < identityFresh {
			n++
		}
	}
	return n, nil
}

// reached are the URLs of those that answer by their own address, with the
// certificate of the cluster.
func (s *Seen) reached(ctx context.Context, own []string) []string {
	urls := make([]string, len(own))
	var all sync.WaitGroup
	for i, address := range own {
		all.Go(func() {
			cfg := rest.CopyConfig(s.config)
			cfg.Host, cfg.APIPath, cfg.Timeout = "https://"+address, "", directly
			client, err := rest.HTTPClientFor(cfg)
			if err != nil {
				return
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, cfg.Host+"/version", nil)
			if err != nil || proxied(cfg, req.URL) != "" {
				return // NO_PROXY may have the name of the kubeconfig alone
			}
			resp, err := client.Do(req)
			if err != nil {
				return
			}
			_ = resp.Body.Close() // only its status counts
			if resp.StatusCode == http.StatusOK {
				urls[i] = cfg.Host
			}
		})
	}
	all.Wait()
	return slices.DeleteFunc(urls, func(u string) bool { return u == "" })
}
