package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strconv"
	"syscall"

	"github.com/storm-harness/storm/internal/wire"
	"github.com/storm-harness/storm/measure"
)

// The codes of requests that got no HTTP status. One that did has the status
// for a code, such as "409", and behind it the reason where the status alone
// would mix up things that are not alike, such as "500 no-space" and "409 exists".
// measure.CodeRefused is the code of what was not even sent, because the bound
// of requests in flight was reached.
const (
	// CodeRetryAfter is a 429 that says when to come again, as priority and
	// fairness answers what it turns away.
	CodeRetryAfter  = "429 retry-after"
	CodeTimeout     = "timeout"     // the request's own deadline passed
	CodeReset       = "reset"       // the connection or the stream was reset, or lost
	CodeGoAway      = "goaway"      // the server closed the connection, and said so
	CodeSilent      = "silent"      // the server answered nothing on the connection any more, not even a ping
	CodeEOF         = "eof"         // the body or the connection ended too early
	CodeUnreachable = "unreachable" // no connection could be made: refused by the host, or no route
	CodeTLS         = "tls"         // the server's certificate or the handshake was wrong
	CodeLocal       = measure.CodeLocal
	CodeMalformed   = "malformed" // the answer was not what the API server's formats are
	CodeOther       = "error"
	CodeCut         = "cut" // the load ended meanwhile; see Answer.Record
)

// futureRevision is the reason of what asks for a resourceVersion that is not there
// yet.
const futureRevision = "future-revision"

// reasons are parts of the API server's messages that tell causes apart which
// share an HTTP status. The wording is that of etcd's and the API server's
// own sources; both carry it in the Status of the answer.
var reasons = []struct {
	text   []byte
	reason string
}{
	{[]byte("database space exceeded"), "no-space"},                 // etcd: NOSPACE
	{[]byte("leader changed"), "leader-changed"},                    // etcd: election
	{[]byte("no leader"), "no-leader"},                              // etcd
	{[]byte("etcdserver: request timed out"), "server-timeout"},     // etcd
	{[]byte("etcdserver: too many requests"), "too-many-requests"},  // etcd: committed − applied > 5000
	{[]byte("request is too large"), "too-large"},                   // etcd: max-request-bytes
	{[]byte("corrupt cluster"), "corrupt"},                          // etcd: CORRUPT
	{[]byte("(re)initializing"), "initializing"},                    // apiserver: watch cache
	{[]byte("Too large resource version"), futureRevision},          // apiserver: behind the client
	{[]byte("is shutting down"), "shutting-down"},                   // apiserver
	{[]byte("context deadline exceeded"), "server-deadline"},        // apiserver: its own request deadline
	{[]byte("unable to return a response in the time"), "too-slow"}, // apiserver: timeout filter
	{[]byte("the object has been modified"), "conflict"},            // apiserver: an outdated resourceVersion
	{[]byte("Precondition failed"), "precondition"},                 // apiserver: another UID or resourceVersion than was asked for
	{[]byte("already exists"), "exists"},                            // apiserver
	{[]byte("no relationship found between node"), "unrelated"},     // apiserver: the Node authorizer, which may be late itself
	{[]byte("exceeded quota"), "quota"},                             // apiserver: a ResourceQuota
	{[]byte("being terminated"), "terminating"},                     // apiserver: the namespace goes
}

// codeOf returns the code of a failure with that HTTP status; head is the
// beginning of its body.
func codeOf(status int, head []byte) string {
	code := strconv.Itoa(status)
	for _, r := range reasons {
		if bytes.Contains(head, r.text) {
			return code + " " + r.reason
		}
	}
	return code
}

// CodeOf returns the code of a request that got no complete answer.
func CodeOf(err error) string {
	var (
		netErr  net.Error
		certErr *tls.CertificateVerificationError
		authErr x509.UnknownAuthorityError
		recErr  tls.RecordHeaderError
		stream  *wire.StreamError
		away    *wire.GoAwayError
	)
	switch {
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE),
		errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.ENOBUFS):
		return CodeLocal
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH),
		errors.Is(err, syscall.ENETUNREACH):
		return CodeUnreachable
	case errors.Is(err, wire.ErrMalformed), errors.Is(err, wire.ErrNotHTTP2):
		return CodeMalformed
	case errors.Is(err, wire.ErrSilent):
		return CodeSilent
	case errors.As(err, &away):
		return CodeGoAway
	case errors.As(err, &certErr), errors.As(err, &authErr), errors.As(err, &recErr), refusedInTLS(err):
		return CodeTLS
	case errors.As(err, &stream), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, net.ErrClosed), errors.Is(err, wire.ErrClosed), errors.Is(err, wire.ErrFull):
		return CodeReset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return CodeEOF
	case errors.Is(err, errDeadline), errors.Is(err, context.DeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return CodeTimeout
	}
	return CodeOther
}

// refusedInTLS says whether the server sent an alert, such as that it does not
// accept the client's certificate; the type in crypto/tls has no exported name.
func refusedInTLS(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}
