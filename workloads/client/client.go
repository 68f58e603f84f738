// Package client is how a load speaks to an API server: over HTTP/2
// connections of its own, one call a request, with nothing between the load
// and the wire that waits, retries or slows down on its own account. What came
// back is an Answer, whose times and code go into the recorder as they are.
//
// client-go's REST client is not used for this: it sleeps and repeats a
// request on 429, and it has a rate limiter; both would hide from the
// measurement what it is there to see. Nor is net/http, which costs more a
// request than a generator that shares the server's processors may take.
package client

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"

	"github.com/storm-harness/storm/internal/due"
	"github.com/storm-harness/storm/internal/wire"
	"github.com/storm-harness/storm/measure"
)

// DefaultTimeout is the deadline of a request where no other is set.
const DefaultTimeout = 10 * time.Second

// ServerTimeout is the API server's own deadline of a request that is no watch, which is
// what a client has that sets none.
const ServerTimeout = 60 * time.Second

// Client is the connections of one load to the API servers behind one
// configuration, whose dialer decides which. It opens as many as the servers'
// limit of streams a connection demands. Its methods are safe
// for concurrent use.
type Client struct {
	clock   *measure.Clock
	timeout time.Duration
	host    string // the authority
	prefix  string // of every path
	agent   string
	auth    *credentials // nil where the certificate is all there is
	config  wire.Config
	pool    *wire.Pool
	cut     atomic.Uint64

	deadlines *due.List // of one timeout; shared with the clients made from this one
}

// New makes a client from a configuration: its address, TLS, credentials,
// dialer and user agent count; its rate limits, and its timeout, do not. A
// timeout of 0 is DefaultTimeout. The client must be closed.
func New(cfg *rest.Config, clock *measure.Clock, timeout time.Duration) (*Client, error) {
	base, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("address of the API server: %w", err)
	}
	if base.Scheme != "https" {
		return nil, fmt.Errorf("address of the API server: %s: storm speaks https alone", base)
	}
	tc, err := cfg.TransportConfig()
	if err != nil {
		return nil, fmt.Errorf("credentials for %s: %w", base.Host, err)
	}
	if tc.Proxy != nil {
		return nil, fmt.Errorf("%s is behind a proxy: storm's loads connect to the API server itself, so name an address that this machine reaches", base.Host)
	}
	tlsConfig, err := transport.TLSConfigFor(tc)
	if err != nil {
		return nil, fmt.Errorf("TLS for %s: %w", base.Host, err)
	}
	auth, err := newCredentials(tc, base)
	if err != nil {
		return nil, fmt.Errorf("credentials for %s: %w", base.Host, err)
	}
	port := base.Port()
	if port == "" {
		port = "443"
	}
	c := &Client{
		clock: clock, timeout: timeout, host: base.Host, prefix: strings.TrimSuffix(base.EscapedPath(), "/"),
		agent: cfg.UserAgent, auth: auth,
		config: wire.Config{Addr: net.JoinHostPort(base.Hostname(), port), TLS: tlsConfig},
	}
	if c.agent == "" {
		c.agent = rest.DefaultKubernetesUserAgent()
	}
	if timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	c.deadlines = due.NewList(clock)
	if tc.DialHolder != nil {
		c.config.Dial = tc.DialHolder.Dial
	}
	c.pool = wire.NewPool(c.config)
	return c, nil
}

// As returns a client for the same servers with connections of its own, on
// which cert says who asks. It must be closed by itself.
func (c *Client) As(cert tls.Certificate, agent string) *Client {
	own := c.again()
	own.agent, own.auth = agent, nil
	own.config.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if c.config.TLS != nil {
		own.config.TLS = c.config.TLS.Clone()
	}
	own.config.TLS.Certificates = []tls.Certificate{cert}
	own.config.TLS.GetClientCertificate = nil
	own.pool = wire.NewPool(own.config)
	return own
}

// Twin returns a client like this one with connections of its own, as another
// process with the same credentials has them. It must be closed by itself.
func (c *Client) Twin() *Client {
	own := c.again()
	own.pool = wire.NewPool(own.config)
	return own
}

// Timed returns a client over this one's connections whose requests have the deadline
// of another's, which has the same clock. It ends with this one.
func (c *Client) Timed(as *Client) *Client {
	own := c.again()
	own.pool, own.timeout, own.deadlines = c.pool, as.timeout, as.deadlines
	return own
}

// again returns a client like this one, without a pool.
func (c *Client) again() *Client {
	return &Client{clock: c.clock, timeout: c.timeout, host: c.host, prefix: c.prefix, agent: c.agent, auth: c.auth, config: c.config, deadlines: c.deadlines}
}

// Connections returns how many connections are open.
func (c *Client) Connections() int { return c.pool.Connections() }

// Cut returns how many requests the end of their load has cut off so far.
func (c *Client) Cut() uint64 { return c.cut.Load() }

// HangUp closes every connection, as the end of a process does; what was in
// flight on them is cut off and never counted. The next request connects anew.
func (c *Client) HangUp() { c.pool.HangUp() }

// Close closes every connection, and returns when what was in flight on them
// has failed.
func (c *Client) Close() { c.pool.Close() }

// Request is one request to the API server.
type Request struct {
	Method      string
	Path        string // absolute, unescaped
	Query       string // encoded
	Body        []byte
	ContentType string // of Body
	Accept      string // empty: Protobuf
	Plain       bool   // accept no gzipped body; client-go accepts it always
	As          *User  // whom to impersonate; nil: nobody
	Tail        *Tail  // takes the end of a successful body, decoded; nil: nobody wants it
}

// accepts is the media types that the request accepts.
func (r *Request) accepts() string { return cmp.Or(r.Accept, Protobuf) }

// takes says whether a body of that content type is one that the request accepts;
// parameters, such as charset and stream, do not matter.
func (r *Request) takes(contentType string) bool {
	got, _, _ := strings.Cut(contentType, ";")
	got = strings.TrimSpace(got)
	for rest := r.accepts(); rest != ""; {
		var one string
		one, rest, _ = strings.Cut(rest, ",")
		one, _, _ = strings.Cut(one, ";")
		if strings.EqualFold(strings.TrimSpace(one), got) {
			return true
		}
	}
	return false
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

// build makes r ready for the wire, in w. The fields that are the same with
// every request come first, so that the compression finds them.
func (c *Client) build(ctx context.Context, r *Request, w *wire.Request) error {
	path := c.prefix + escaped(r.Path)
	if r.Query != "" {
		path += "?" + r.Query
	}
	*w = wire.Request{Method: r.Method, Authority: c.host, Path: path, Body: r.Body, Fields: w.Fields[:0]}
	w.Fields = append(w.Fields, wire.Field{Name: "user-agent", Value: c.agent}, wire.Field{Name: "accept", Value: r.accepts()})
	if !r.Plain {
		w.Fields = append(w.Fields, wire.Field{Name: "accept-encoding", Value: "gzip"})
	}
	if r.Body != nil {
		w.Fields = append(w.Fields, wire.Field{Name: "content-type", Value: r.ContentType})
	}
	if c.auth != nil {
		fields, err := c.auth.fields(ctx, r.As != nil)
		if err != nil {
			return err
		}
		w.Fields = append(w.Fields, fields...)
	}
	if r.As != nil {
		w.Fields = append(w.Fields, wire.Field{Name: "impersonate-user", Value: r.As.Name, Once: true})
		for _, g := range r.As.Groups {
			w.Fields = append(w.Fields, wire.Field{Name: "impersonate-group", Value: g})
		}
	}
	return nil
}

// escaped escapes a path; hardly any needs it.
func escaped(path string) string {
	for i := range len(path) {
		switch b := path[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '/', b == '-', b == '.', b == '_':
		default:
			return (&url.URL{Path: path}).EscapedPath()
		}
	}
	return path
}
