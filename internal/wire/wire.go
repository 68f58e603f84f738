// Package wire speaks HTTP/2 to a server frame by frame. It exists because a
// load must be cheap: thousands of watches held open by one process cost here
// a hundred-odd bytes each and no goroutine, where net/http spends a goroutine,
// a pipe and several buffers on every stream. One goroutine reads a connection
// and hands each answer, as it arrives, to its stream's Sink; what is written by
// many at once goes out in one record.
//
// It is a client for API servers and etcd's members, no general one: h2 only, no
// pushes, of trailers gRPC's alone, no proxies. The protocol is RFC 9113; frames
// and header compression are golang.org/x/net/http2's.
package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/net/http2"
)

// Config says how connections are made. The zero value of a field has the
// default that is named.
type Config struct {
	Addr string      // host:port
	TLS  *tls.Config // cloned; its NextProtos are set to h2
	// Plain says that there is no TLS: that the server speaks HTTP/2 is known
	// beforehand.
	Plain bool
	// Dial connects; a net.Dialer with DialTimeout by default.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// DialTimeout bounds the connection, the handshake and the wait for the
	// server's SETTINGS, each; 5 s.
	DialTimeout time.Duration
	// PingAfter is how long nothing may be heard before the server is pinged,
	// and PingTimeout how long its answer may take before the connection is
	// given up, so that a server that died silently holds nothing for ever;
	// 30 s and 15 s, client-go's defaults.
	PingAfter, PingTimeout time.Duration
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.DialTimeout, 5*time.Second)
	def(&c.PingAfter, 30*time.Second)
	def(&c.PingTimeout, 15*time.Second)
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: c.DialTimeout, KeepAlive: 15 * time.Second}).DialContext
	}
	return c
}

// Request is what is sent on a stream. It is not kept after Open, but for the
// rest of a Body that the server does not take at once.
type Request struct {
	Method    string
	Authority string
	Path      string // escaped, with the query
	Fields    []Field
	Body      []byte
}

// Field is a header field; its name is in lower case.
type Field struct {
	Name, Value string
	// Once says that the value is hardly ever the same twice, so that it is
	// not worth a place in the table that compresses what repeats.
	Once bool
}

// Head is the beginning of an answer.
type Head struct {
	Status     int
	Type       string // content-type
	Encoding   string // content-encoding
	Length     int64  // content-length; -1 where it is not said
	RetryAfter string
	// What gRPC says of the outcome, in the head of an answer without a body or
	// in the trailers: grpc-status, and grpc-message as it is encoded.
	Outcome, Message string
}

// Sink takes the answer of one stream. Its methods, and those of the Body that
// it names, are called one after the other by the goroutine that reads the
// connection: while one runs, no other stream of the connection gets anything,
// so they must not block. They may open and cancel streams.
type Sink interface {
	// Head is called once, unless the stream ends before. It returns who takes
	// the rest; that may be the Sink itself.
	Head(h Head) Body
	// End is called instead of Head where there is no answer.
	End(err error)
}

// Body takes the body of an answer.
type Body interface {
	// Data takes a part of the body; p is valid during the call.
	Data(p []byte)
	// End is called once, last: with nil where the body is complete,
	// io.ErrUnexpectedEOF where it ended short of its length, else with what
	// became of the stream. It is not called for one that was cancelled.
	End(err error)
}

// Trailed is a Body that wants to know the trailers, which come right before the
// End; of a Head they have Outcome and Message alone.
type Trailed interface {
	Body
	Trailer(h Head)
}

// Errors of a connection or a stream.
var (
	// ErrClosed says that the connection was closed from this side.
	ErrClosed = errors.New("the connection is closed")
	// ErrHungUp ends what was open when this side hung up.
	ErrHungUp = errors.New("this side has hung up")
	// ErrFull says that the connection has as many streams as the server allows.
	ErrFull = errors.New("the connection has no stream left")
	// ErrSilent says that the server did not answer a ping.
	ErrSilent = errors.New("the server does not answer on this connection")
	// ErrMalformed says that the server did not keep to HTTP/2.
	ErrMalformed = errors.New("the server breaks the HTTP/2 protocol")
	// ErrNotHTTP2 says that the server does not speak HTTP/2 at all.
	ErrNotHTTP2 = errors.New("the server does not speak HTTP/2")
)

// StreamError is the server's reset of one stream.
type StreamError struct{ Code http2.ErrCode }

func (e *StreamError) Error() string { return "the server reset the stream: " + e.Code.String() }

// GoAwayError says that the server closes the connection.
type GoAwayError struct {
	Code http2.ErrCode
	// Seen says whether the server may have acted on the stream that got this.
	Seen bool
}

func (e *GoAwayError) Error() string {
	return fmt.Sprintf("the server closes the connection: GOAWAY %s", e.Code)
}

// Unprocessed says whether an error means that the server has not acted on the
// request, for certain: it may be sent again.
func Unprocessed(err error) bool {
	var stream *StreamError
	var away *GoAwayError
	switch {
	case errors.As(err, &stream):
		return stream.Code == http2.ErrCodeRefusedStream
	case errors.As(err, &away):
		return !away.Seen
	}
	return errors.Is(err, ErrFull)
}
