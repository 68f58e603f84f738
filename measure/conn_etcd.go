package measure

import (
	"context"
	"fmt"
	"net/url"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// etcdConn is one connection to one member, with nothing in between: no
// balancer, no retry. What one request sees is what that member did.
//
// gRPC backs off between attempts to connect, and a back-off would become part
// of the recovery time that is to be measured. So the back-off is short, and
// hurry ends it. A request that comes while there is no connection fails at
// once; it does not wait for one.
type etcdConn struct {
	target EtcdTarget
	cc     *grpc.ClientConn
	kv     pb.KVClient
	status pb.MaintenanceClient
}

const (
	dialTimeout  = time.Second
	backoffFirst = 50 * time.Millisecond
	backoffMost  = 500 * time.Millisecond
	// A connection on which nothing is acknowledged for so long is dead.
	// gRPC sets TCP_USER_TIMEOUT from it, so that a write into the void is
	// noticed too.
	deadAfter = 2 * time.Second
	// The shortest that gRPC allows, and etcd tolerates.
	keepaliveEvery = 10 * time.Second
	maxMessage     = 64 << 20
)

func dialEtcd(t EtcdTarget) (*etcdConn, error) {
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%s: %q is no URL of an etcd member", t.Component, t.Endpoint)
	}
	creds := insecure.NewCredentials()
	if t.TLS != nil {
		creds = credentials.NewTLS(t.TLS.Clone())
	}
	cc, err := grpc.NewClient("passthrough:///"+u.Host,
		grpc.WithTransportCredentials(creds),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: backoffFirst, Multiplier: 1.6, Jitter: 0.2, MaxDelay: backoffMost},
			MinConnectTimeout: dialTimeout,
		}),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveEvery, Timeout: deadAfter}),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage)),
	)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", t.Component, err)
	}
	return &etcdConn{target: t, cc: cc, kv: pb.NewKVClient(cc), status: pb.NewMaintenanceClient(cc)}, nil
}

// hurry has a lost connection dialled again now rather than after a back-off.
// Call it after each failure.
func (c *etcdConn) hurry() {
	if c.cc.GetState() == connectivity.TransientFailure {
		c.cc.ResetConnectBackoff()
	}
}

// put writes the key and returns the revision of the write.
func (c *etcdConn) put(ctx context.Context, key, value string) (int64, error) {
	resp, err := c.kv.Put(ctx, &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
	if err != nil {
		c.hurry()
		return 0, err
	}
	return resp.Header.GetRevision(), nil
}

// get reads the key, linearizably.
func (c *etcdConn) get(ctx context.Context, key string) error {
	_, err := c.kv.Range(ctx, &pb.RangeRequest{Key: []byte(key)})
	if err != nil {
		c.hurry()
	}
	return err
}

func (c *etcdConn) close() { _ = c.cc.Close() } // fails only if closed already
