package local

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordination "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/fairness"
)

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

// servers are the API servers, to be looked at.
func (c *Cluster) servers() []fairness.Server {
	var out []fairness.Server
	for _, h := range c.handles(clusters.KindAPIServer) {
		out = append(out, fairness.Server{Name: h.id.String(), URL: h.endpoints.Client})
	}
	return out
}
