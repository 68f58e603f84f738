package clusters

import (
	"context"
	"errors"
	"net"
	"net/url"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
)

// apiServerName is in the certificate of every API server that storm or kubeadm has
// made one for.
const apiServerName = "kubernetes"

// connectWithin is how long a connection to one of several API servers may take
// until the next is tried. kind has its own load balancer give up after a quarter
// of that.
const connectWithin = time.Second

// Balanced is the admin configuration of all API servers of a cluster: each
// connection goes to the next of them, as through the load balancer that stands
// before several in production, and one that takes no connection is passed over.
// The same turn begins with the same server. Of a single one it is a copy of
// Access.REST; so is one that names its server, as that of a cluster does which storm
// did not make: there its user has said where requests go.
func Balanced(c Cluster, turn uint64) *rest.Config {
	config := rest.CopyConfig(c.Access().REST)
	b := &balancer{}
	for _, s := range OfKind(c, KindAPIServer, "") {
		if u, err := url.Parse(s.Endpoints().Client); err == nil && u.Host != "" {
			b.servers = append(b.servers, u.Host)
		}
	}
	if len(b.servers) < 2 || config.Dial != nil || config.ServerName != "" {
		return config
	}
	b.turn.Store(turn % uint64(len(b.servers)))
	config.Dial, config.ServerName = b.dial, apiServerName
	return config
}

// balancer deals out connections to servers in turn.
type balancer struct {
	servers []string // host:port
	turn    atomic.Uint64
}

// dial connects to the next server that takes a connection, whatever the address.
func (b *balancer) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	var errs []error
	first := b.turn.Add(1) - 1
	for i := range uint64(len(b.servers)) {
		d := net.Dialer{Timeout: connectWithin}
		conn, err := d.DialContext(ctx, network, b.servers[(first+i)%uint64(len(b.servers))])
		if err == nil {
			return conn, nil
		}
		if errs = append(errs, err); ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}
