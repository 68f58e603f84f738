package wire

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"

	"github.com/storm-harness/storm/internal/swift"
)

// Dial connects, and returns once the server has sent its SETTINGS, so that
// its limit of streams is known and not assumed.
func Dial(ctx context.Context, cfg Config) (*Conn, error) {
	cfg = cfg.withDefaults()
	within, cancel := context.WithTimeout(ctx, cfg.DialTimeout)
	defer cancel()
	raw, err := cfg.Dial(within, "tcp", cfg.Addr)
	if err != nil {
		return nil, err
	}
	raw = swift.Buffered(raw)
	if cfg.Plain {
		return Start(within, raw, cfg)
	}
	tc := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.TLS != nil {
		tc = cfg.TLS.Clone()
	}
	tc.NextProtos = []string{"h2"}
	if tc.ServerName == "" && !tc.InsecureSkipVerify {
		tc.ServerName, _, _ = net.SplitHostPort(cfg.Addr)
	}
	secure := tls.Client(raw, tc)
	if err := secure.HandshakeContext(within); err != nil {
		_ = raw.Close()
		if strings.Contains(err.Error(), noApplicationProtocol) {
			err = ErrNotHTTP2
		}
		return nil, fmt.Errorf("TLS with %s: %w", raw.RemoteAddr(), err)
	}
	if p := secure.ConnectionState().NegotiatedProtocol; p != "h2" {
		_ = secure.Close()
		return nil, fmt.Errorf("%s: %w: it chose %q", raw.RemoteAddr(), ErrNotHTTP2, p)
	}
	return Start(within, secure, cfg)
}

// noApplicationProtocol is the TLS alert of a server that does not speak h2
// (RFC 7301, 3.2); its type in crypto/tls has no exported name.
const noApplicationProtocol = "no application protocol"

// Start speaks HTTP/2 on a connection that is made already, and owns it from
// here on; ctx bounds the wait for the server's SETTINGS.
func Start(ctx context.Context, nc net.Conn, cfg Config) (*Conn, error) {
	c := newConn(nc, cfg.withDefaults())
	if err := c.greet(); err != nil {
		c.fail(err)
		return nil, err
	}
	go c.read()
	select {
	case <-c.ready:
	case <-c.done:
	case <-ctx.Done():
		c.fail(fmt.Errorf("no SETTINGS from the server: %w", ctx.Err()))
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	if c.most.Load() == 0 {
		c.fail(ErrClosed)
		return nil, fmt.Errorf("%w: its SETTINGS allow no stream at all", ErrFull)
	}
	c.watchHealth()
	return c, nil
}
