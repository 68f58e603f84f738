package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// pool is connections to one server, opened one at a time as the streams that
// the server allows on those it has are used up. net/http's own pool dials
// once for every request that finds no room, which after a server's restart
// would be a storm of TLS handshakes that no scenario asked for.
type pool struct {
	transport    *http.Transport
	scheme, addr string

	ctx    context.Context // ends with the pool
	cancel context.CancelFunc

	mu      sync.Mutex
	conns   []*http.ClientConn
	dialing *dial
	// limit is how many streams the server allows on a connection, learnt
	// from the first that has answered: until a connection has seen the
	// server's SETTINGS it takes a hundred for granted, and whatever is above
	// the true limit would wait on it for others to end. Until the limit is
	// known one request goes alone, and probe is closed when it is back.
	limit int
	probe chan struct{}
}

// dial is a connection being opened, and all who wait for it.
type dial struct {
	done chan struct{}
	err  error // valid after done
}

var errClosed = errors.New("the client is closed")

func newPool(t *http.Transport, base *url.URL) *pool {
	port := base.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[base.Scheme]
	}
	p := &pool{transport: t, scheme: base.Scheme, addr: net.JoinHostPort(base.Hostname(), port)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// attempts is how often a request that was not processed is sent in all, and
// attemptPause the pause before the third; it grows with each. net/http's
// transport makes as many attempts.
const (
	attempts     = 7
	attemptPause = 10 * time.Millisecond
)

// RoundTrip implements http.RoundTripper. A request that the connection says
// was not processed, because it was being closed or its limit of streams was
// not known yet, goes out again, as every HTTP/2 client does it; nothing else
// is repeated.
func (p *pool) RoundTrip(req *http.Request) (*http.Response, error) {
	for i := 1; ; i++ {
		conn, err := p.reserve(req.Context())
		if err != nil {
			return nil, err
		}
		resp, err := conn.RoundTrip(req)
		p.learn(conn, err)
		if err == nil || i == attempts || !unprocessed(err) {
			return resp, err
		}
		if i > 1 {
			select {
			case <-time.After(time.Duration(i-1) * attemptPause):
			case <-req.Context().Done():
				return nil, err
			}
		}
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// unprocessed says whether err is the HTTP/2 transport's word that the server
// has not seen the request. The errors have no exported names.
func unprocessed(err error) bool {
	msg := err.Error()
	for _, s := range []string{
		"client conn not usable", "client conn is closed", "client conn could not be established",
		"graceful shutdown GOAWAY", "REFUSED_STREAM",
	} {
		if strings.Contains(msg, s) {
			return true
		}
	}
	return false
}

// learn takes the server's limit of streams from a connection that has
// answered. One that takes no more requests, because it is being closed, says
// nothing about the limit.
func (p *pool) learn(conn *http.ClientConn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.probe == nil {
		return
	}
	if free := conn.Available(); err == nil && free > 0 {
		p.limit = conn.InFlight() + free
	}
	close(p.probe)
	p.probe = nil
}

// reserve returns a connection with one stream reserved for the caller.
func (p *pool) reserve(ctx context.Context) (*http.ClientConn, error) {
	for {
		conn, probe, d, err := p.find()
		if conn != nil || err != nil {
			return conn, err
		}
		select {
		case <-probe:
		case <-d.done:
			if d.err != nil {
				return nil, d.err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// find returns a connection with a stream reserved, or what to wait for.
func (p *pool) find() (conn *http.ClientConn, probe <-chan struct{}, d *dial, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	never := &dial{}
	if p.ctx.Err() != nil {
		return nil, nil, never, errClosed
	}
	p.conns = slices.DeleteFunc(p.conns, func(c *http.ClientConn) bool {
		if c.Err() == nil {
			return false
		}
		_ = c.Close()
		return true
	})
	if p.probe != nil {
		return nil, p.probe, never, nil
	}
	for _, c := range p.conns {
		if (p.limit == 0 || c.InFlight() < p.limit) && c.Reserve() == nil {
			if p.limit == 0 {
				p.probe = make(chan struct{})
			}
			return c, nil, never, nil
		}
	}
	if p.dialing == nil {
		p.dialing = &dial{done: make(chan struct{})}
		go p.dial(p.dialing)
	}
	return nil, nil, p.dialing, nil
}

// dial opens a connection. It does not end with the request that asked for
// it, because others wait for it too.
func (p *pool) dial(d *dial) {
	ctx, cancel := context.WithTimeout(p.ctx, dialTimeout)
	defer cancel()
	conn, err := p.transport.NewClientConn(ctx, p.scheme, p.addr)

	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil:
		d.err = err
	case p.ctx.Err() != nil:
		_ = conn.Close()
		d.err = errClosed
	default:
		p.conns = append(p.conns, conn)
	}
	p.dialing = nil
	close(d.done)
}

// open returns how many connections are usable.
func (p *pool) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, c := range p.conns {
		if c.Err() == nil {
			n++
		}
	}
	return n
}

func (p *pool) close() {
	p.cancel()
	p.mu.Lock()
	conns, d := p.conns, p.dialing
	p.conns = nil
	p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
	if d != nil {
		<-d.done
	}
}

// withBody gives req a body that can be sent again.
func withBody(req *http.Request, body []byte) {
	req.ContentLength = int64(len(body))
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
}
