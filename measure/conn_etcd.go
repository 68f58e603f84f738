package measure

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/internal/wire"
)

// etcdConn is one connection to one member, with nothing in between: no
// balancer, no retry, no pause before it is made anew. What one request sees is
// what that member did. A request that comes while the connection is being made
// waits for that, within its deadline.
type etcdConn struct {
	target EtcdTarget
	calls  *unary
}

const (
	dialTimeout = time.Second
	// A connection on which nothing is acknowledged for so long is dead, a
	// write into the void too. It is the other machine's kernel that
	// acknowledges: a member that hangs, or waits for a processor, keeps its
	// connections, as it does with every client.
	deadAfter = 2 * time.Second
	// So long after anything was heard a ping is sent, as etcd's clients do.
	keepaliveEvery = 10 * time.Second
	maxMessage     = 64 << 20
)

// The methods of etcd's API that are called.
const (
	methodPut    = "/etcdserverpb.KV/Put"
	methodRange  = "/etcdserverpb.KV/Range"
	methodStatus = "/etcdserverpb.Maintenance/Status"
)

func dialEtcd(t EtcdTarget, clock *Clock) (*etcdConn, error) {
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("%s: %q is no URL of an etcd member", t.Component, t.Endpoint)
	}
	calls := newUnary(wire.Config{
		Addr: u.Host, TLS: t.TLS, Plain: t.TLS == nil,
		Dial: dialImpatient, DialTimeout: dialTimeout, PingAfter: keepaliveEvery, PingTimeout: deadAfter,
	}, clock)
	return &etcdConn{target: t, calls: calls}, nil
}

// dialImpatient makes a TCP connection that ends when what it sent is not
// acknowledged for deadAfter.
func dialImpatient(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if raw, err := c.(*net.TCPConn).SyscallConn(); err == nil {
		// Without it a dead connection is given up all the same, by its pings.
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(deadAfter.Milliseconds()))
		})
	}
	return c, nil
}

// put writes the key and returns the revision of the write.
func (c *etcdConn) put(ctx context.Context, key, value string) (int64, error) {
	var resp pb.PutResponse
	if err := c.calls.call(ctx, methodPut, &pb.PutRequest{Key: []byte(key), Value: []byte(value)}, &resp); err != nil {
		return 0, err
	}
	return resp.Header.GetRevision(), nil
}

// get reads what the request asks for.
func (c *etcdConn) get(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	var resp pb.RangeResponse
	err := c.calls.call(ctx, methodRange, r, &resp)
	return &resp, err
}

// status asks the member for its own status.
func (c *etcdConn) status(ctx context.Context) (*pb.StatusResponse, error) {
	var resp pb.StatusResponse
	err := c.calls.call(ctx, methodStatus, &pb.StatusRequest{}, &resp)
	return &resp, err
}

func (c *etcdConn) close() { c.calls.close() }
