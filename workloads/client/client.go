// Package client is how a load speaks to an API server: over HTTP/2
// connections of its own, one call a request, with nothing between the load
// and the wire that waits, retries or slows down on its own account. What came
// back is an Answer, whose times and code go into the recorder as they are.
//
// client-go's REST client is not used for this: it sleeps and repeats a
// request on 429, and it has a rate limiter; both would hide from the
// measurement what it is there to see.
package client

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/storm-harness/storm/measure"
)

// DefaultTimeout is the deadline of a request where no other is set.
const DefaultTimeout = 10 * time.Second

// A connection on which nothing was heard for pingAfter is pinged, and given up
// when no answer comes within pingTimeout, so that a server that died silently
// does not hold watches for ever.
const (
	dialTimeout  = 5 * time.Second
	pingAfter    = 10 * time.Second
	pingTimeout  = 5 * time.Second
	writeTimeout = 10 * time.Second
)

// Client is the connections of one load to one API server. It opens as many
// as the server's limit of streams a connection demands. Its methods are safe
// for concurrent use.
type Client struct {
	clock   *measure.Clock
	base    *url.URL
	timeout time.Duration
	pool    *pool
	rt      http.RoundTripper // the pool, with the configuration's credentials
	cut     atomic.Uint64
}

// New makes a client from a configuration: its address, TLS, credentials,
// dialer, proxy and user agent count; its rate limits, and its timeout, do
// not. A timeout of 0 is DefaultTimeout. The client must be closed.
func New(cfg *rest.Config, clock *measure.Clock, timeout time.Duration) (*Client, error) {
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("address of the API server: %w", err)
	}
	tc, err := cfg.TransportConfig()
	if err != nil {
		return nil, fmt.Errorf("credentials for %s: %w", base.Host, err)
	}
	tlsConfig, err := transport.TLSConfigFor(tc)
	if err != nil {
		return nil, fmt.Errorf("TLS for %s: %w", base.Host, err)
	}
	dial := (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext
	if tc.DialHolder != nil {
		dial = tc.DialHolder.Dial
	}
	proxy := http.ProxyFromEnvironment
	if tc.Proxy != nil {
		proxy = tc.Proxy
	}
	t := &http.Transport{
		Proxy: proxy, DialContext: dial, TLSClientConfig: tlsConfig, TLSHandshakeTimeout: dialTimeout,
		// Bodies are counted as they are on the wire.
		DisableCompression: true,
		Protocols:          new(http.Protocols),
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: pingAfter, PingTimeout: pingTimeout, WriteByteTimeout: writeTimeout,
		},
	}
	t.Protocols.SetHTTP1(true)
	t.Protocols.SetHTTP2(true)
	p := newPool(t, base)
	rt, err := transport.HTTPWrappersForConfig(tc, p)
	if err != nil {
		return nil, fmt.Errorf("credentials for %s: %w", base.Host, err)
	}
	base.Path = strings.TrimSuffix(base.Path, "/")
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	return &Client{clock: clock, base: base, timeout: timeout, pool: p, rt: rt}, nil
}

// Connections returns how many connections are open.
func (c *Client) Connections() int { return c.pool.open() }

// Cut returns how many requests the end of their load has cut off so far.
func (c *Client) Cut() uint64 { return c.cut.Load() }

// Close closes every connection; what is in flight on them fails.
func (c *Client) Close() { c.pool.close() }

// Request is one request to the API server.
type Request struct {
	Method      string
	Path        string // absolute, unescaped
	Query       string // encoded
	Body        []byte
	ContentType string // of Body
	Accept      string // empty: Protobuf
	Gzip        bool   // accept a gzipped body, which is handed out as it came
	As          User   // whom to impersonate; the zero User: nobody
}

// The media types of the Kubernetes API.
const (
	Protobuf       = "application/vnd.kubernetes.protobuf"
	JSON           = "application/json"
	MergePatch     = "application/merge-patch+json"
	StrategicPatch = "application/strategic-merge-patch+json"
)

// User is whom to impersonate.
type User struct {
	Name   string
	Groups []string
}

// build makes the HTTP request of r.
func (c *Client) build(ctx context.Context, r *Request) *http.Request {
	u := *c.base
	u.Path += r.Path
	u.RawQuery = r.Query
	h := make(http.Header, 6)
	accept := r.Accept
	if accept == "" {
		accept = Protobuf
	}
	h["Accept"] = []string{accept}
	if r.Gzip {
		h["Accept-Encoding"] = []string{"gzip"}
	}
	if r.As.Name != "" {
		h["Impersonate-User"] = []string{r.As.Name}
		h["Impersonate-Group"] = r.As.Groups
	}
	req := &http.Request{
		Method: r.Method, URL: &u, Host: u.Host, Header: h,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if r.Body != nil {
		h["Content-Type"] = []string{r.ContentType}
		withBody(req, r.Body)
	}
	return req.WithContext(ctx)
}
