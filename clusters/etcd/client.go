// Package etcd holds the primitives that storm works on an etcd member with:
// status, health, compaction, defragmentation, alarms, snapshots, hashes.
//
// A Client is one connection to one member. It speaks gRPC directly instead
// of through clientv3, which repeats a failed request up to a hundred times
// without a word and dials anew for every status: here one call is one
// request, and its error is what became of it.
package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"net/url"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
)

// Client is a connection to one member. It is safe for concurrent use.
type Client struct {
	conn        *grpc.ClientConn
	kv          pb.KVClient
	lease       pb.LeaseClient
	watch       pb.WatchClient
	maintenance pb.MaintenanceClient
	cluster     pb.ClusterClient
}

// reconnect is how long a broken connection waits before it is tried again:
// short, so that a member that is back is seen at once.
var reconnect = grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 10 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 100 * time.Millisecond},
	MinConnectTimeout: time.Second,
}

// Open prepares a connection to the member at that https URL; the first call
// makes it. A call fails at once while the member cannot be reached.
func Open(endpoint string, config *tls.Config) (*Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, fmt.Errorf("etcd endpoint: %w", err)
	}
	if u.Scheme != "https" || u.Port() == "" {
		return nil, fmt.Errorf("etcd endpoint %q: want https://host:port", endpoint)
	}
	conn, err := grpc.NewClient("passthrough:///"+u.Host,
		grpc.WithTransportCredentials(credentials.NewTLS(config.Clone())),
		grpc.WithConnectParams(reconnect),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)),
	)
	if err != nil {
		return nil, fmt.Errorf("etcd endpoint %s: %w", endpoint, err)
	}
	return &Client{
		conn: conn, kv: pb.NewKVClient(conn), lease: pb.NewLeaseClient(conn), watch: pb.NewWatchClient(conn),
		maintenance: pb.NewMaintenanceClient(conn), cluster: pb.NewClusterClient(conn),
	}, nil
}

// Close ends the connection.
func (c *Client) Close() { _ = c.conn.Close() } // it fails only if it is closed already

// KV is the member's key-value interface over the same connection.
func (c *Client) KV() pb.KVClient { return c.kv }

// Lease is the member's interface for leases over the same connection.
func (c *Client) Lease() pb.LeaseClient { return c.lease }

// Watch is the member's interface for watches over the same connection.
func (c *Client) Watch() pb.WatchClient { return c.watch }

// said returns what went wrong in the words of etcd, with what was done, and
// keeps the context's error recognisable.
func said(ctx context.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil {
		return fmt.Errorf("%s: %w (%w)", what, cause, err)
	}
	var known rpctypes.EtcdError
	if e := rpctypes.Error(err); errors.As(e, &known) {
		return fmt.Errorf("%s: %w", what, known)
	}
	return fmt.Errorf("%s: %w", what, err)
}
