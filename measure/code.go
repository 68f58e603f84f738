package measure

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/storm-harness/storm/internal/wire"
)

// The codes of failures that have no number of their own.
const (
	CodeTimeout     = "timeout"     // not answered within the deadline
	CodeUnreachable = "unreachable" // no connection could be made, so nothing was sent
	CodeConnection  = "connection"  // the connection broke on the way
	CodeNoSpace     = "no-space"    // etcd is over its quota
	codeCanceled    = "canceled"    // storm itself gave up
)

// noSpace is how etcd, and an apiserver that passes it on, says it.
const noSpace = "database space exceeded"

// etcdCodes are words of etcd's messages and what they are called here.
var etcdCodes = []struct{ words, code string }{
	{noSpace, CodeNoSpace},
	{"too many requests", "too-many-requests"},
	{"request is too large", "too-large"},
	{"no leader", "no-leader"},
	{"not leader", "not-leader"},
	{"leader changed", "leader-changed"},
	{"request timed out", "server-timeout"},
	{"server stopped", "stopped"},
	{"corrupt", "corrupt"},
	{"Error while dialing", CodeUnreachable},
}

// EtcdCode is a short name for an error of an etcd request, of which there
// are few, so that errors can be counted by it. It is empty for no error.
func EtcdCode(err error) string {
	if err == nil {
		return ""
	}
	s, ok := status.FromError(err)
	switch {
	case !ok && errors.Is(err, context.DeadlineExceeded), ok && s.Code() == codes.DeadlineExceeded:
		return CodeTimeout
	case !ok && errors.Is(err, context.Canceled), ok && s.Code() == codes.Canceled:
		return codeCanceled
	case errors.Is(err, wire.ErrUnreachable):
		return CodeUnreachable
	}
	for _, c := range etcdCodes {
		if strings.Contains(err.Error(), c.words) {
			return c.code
		}
	}
	if ok && s.Code() != codes.Unavailable {
		return strings.ToLower(s.Code().String())
	}
	return CodeConnection
}

// etcdNotApplied is true where the answer says for certain that the write was
// not applied, and never will be.
func etcdNotApplied(code string) bool {
	switch code {
	case CodeNoSpace, "too-many-requests", "too-large", CodeUnreachable:
		return true
	}
	return false
}

// APIError is an answer of an apiserver other than success.
type APIError struct {
	Status  int
	Message string
}

// Error implements error.
func (e *APIError) Error() string { return strconv.Itoa(e.Status) + ": " + e.Message }

// APICode is a short name for an error of a request to an apiserver: the HTTP
// status, or one of the Code constants. It is empty for no error.
func APICode(err error) string {
	if err == nil {
		return ""
	}
	var answer *APIError
	var op *net.OpError
	var timeout net.Error
	switch {
	case errors.As(err, &answer) && strings.Contains(answer.Message, noSpace):
		return CodeNoSpace
	case errors.As(err, &answer):
		return strconv.Itoa(answer.Status)
	case errors.Is(err, context.DeadlineExceeded):
		return CodeTimeout
	case errors.Is(err, context.Canceled):
		return codeCanceled
	case errors.As(err, &op) && op.Op == "dial":
		return CodeUnreachable
	case errors.As(err, &timeout) && timeout.Timeout():
		return CodeTimeout
	}
	return CodeConnection
}

// apiNotApplied is true where the answer says for certain that the write was
// not applied. An apiserver that answers 5xx may have written and not have
// heard of it in time.
func apiNotApplied(code string) bool {
	switch code {
	case CodeNoSpace, CodeUnreachable:
		return true
	case "409": // a name that is taken: by an earlier attempt of the transport, perhaps
		return false
	}
	n, err := strconv.Atoi(code)
	return err == nil && n >= 400 && n < 500
}
