package measure

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/storm-harness/storm/internal/due"
	"github.com/storm-harness/storm/internal/wire"
)

// message is a message of etcd's API.
type message interface {
	Marshal() ([]byte, error)
	Unmarshal(b []byte) error
}

// unary is gRPC's unary calls over one connection. It exists because observing
// must be cheap: grpc-go wakes three goroutines for a call, and storm shares the
// machine with the control plane. Nothing is spent here on a call that is under way but memory.
// The protocol is gRPC's over HTTP/2 (grpc/doc/PROTOCOL-HTTP2.md).
type unary struct {
	line      *wire.Line
	authority string
	clock     due.Clock
	deadlines *due.List
}

func newUnary(cfg wire.Config, clock due.Clock) *unary {
	return &unary{line: wire.NewLine(cfg), authority: cfg.Addr, clock: clock, deadlines: due.NewList(clock)}
}

// grpcFields are the header fields of every call.
func grpcFields() []wire.Field {
	return []wire.Field{{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"}}
}

// framed is a message as gRPC puts it into a body: not compressed, its length
// before it.
func framed(m message) ([]byte, error) {
	p, err := m.Marshal()
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(p))), p...), nil
}

// asked is one call from its beginning to its end: the sink of its answer. It
// ends once, whoever comes first: the answer, the deadline, the caller, or the
// connection.
type asked struct {
	unary *unary
	req   wire.Request
	into  message     // what the answer is read into; nil: it does not matter
	done  func(error) // must not block
	due   due.Item

	mu     sync.Mutex
	over   bool
	stream *wire.Stream
	head   wire.Head
	body   []byte
}

// ask calls a method, or gathers the call in the cork where there is one, and
// returns without waiting: done is told what became of it. A deadline of 0 is
// none; else it is an instant of the clock's, and deadlines come in their order.
func (u *unary) ask(method string, req, into message, deadline int64, cork *wire.Cork, done func(error)) *asked {
	a := &asked{unary: u, into: into, done: done}
	body, err := framed(req)
	if err != nil {
		done(err)
		return a
	}
	a.req = wire.Request{Method: "POST", Authority: u.authority, Path: method, Fields: grpcFields(), Body: body}
	if deadline > 0 {
		u.deadlines.Add(&a.due, deadline, a)
	}
	u.line.Ask(a, cork)
	return a
}

// call calls a method and waits for what becomes of it.
func (u *unary) call(ctx context.Context, method string, req, into message) error {
	told := make(chan error, 1)
	a := u.ask(method, req, into, 0, nil, func(err error) { told <- err })
	select {
	case err := <-told:
		return err
	case <-ctx.Done():
		a.giveUp(ctx.Err())
		return <-told
	}
}

func (u *unary) close() { u.line.Close() }

// Request implements wire.Caller.
func (a *asked) Request() *wire.Request { return &a.req }

// Opened implements wire.Caller.
func (a *asked) Opened(s *wire.Stream) {
	a.mu.Lock()
	a.stream = s
	over := a.over
	a.mu.Unlock()
	if over {
		s.Cancel() // it was given up meanwhile; one that has ended does not mind
	}
}

// Over implements wire.Caller.
func (a *asked) Over() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.over
}

// Head implements wire.Sink.
func (a *asked) Head(h wire.Head) wire.Body {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.head = h
	return a
}

// Data implements wire.Body.
func (a *asked) Data(p []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.over && len(a.body)+len(p) <= maxMessage {
		a.body = append(a.body, p...)
	}
}

// Trailer implements wire.Trailed.
func (a *asked) Trailer(h wire.Head) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.head.Outcome, a.head.Message = h.Outcome, h.Message
}

// End implements wire.Sink.
func (a *asked) End(err error) { a.end(err, false) }

// Expire implements due.Expirer.
func (a *asked) Expire() { a.giveUp(context.DeadlineExceeded) }

// giveUp ends the call from this side, unless it has ended.
func (a *asked) giveUp(err error) { a.end(err, true) }

func (a *asked) end(err error, cancel bool) {
	a.mu.Lock()
	if a.over {
		a.mu.Unlock()
		return
	}
	a.over = true
	s := a.stream
	a.mu.Unlock()
	a.unary.deadlines.Remove(&a.due)
	if cancel && s != nil {
		s.Cancel()
	}
	if err == nil {
		err = a.outcome()
	}
	a.done(err) // nothing else touches the call any more
}

// errNoGRPC says that the answer is none of gRPC's.
var errNoGRPC = errors.New("the answer is not gRPC's")

// outcome is what a complete answer says.
func (a *asked) outcome() error {
	if a.head.Outcome == "" {
		return fmt.Errorf("%w: HTTP status %d, %q", errNoGRPC, a.head.Status, a.head.Type)
	}
	code, err := strconv.ParseUint(a.head.Outcome, 10, 32)
	if err != nil {
		return fmt.Errorf("%w: grpc-status %q", errNoGRPC, a.head.Outcome)
	}
	if code != uint64(codes.OK) {
		text, err := url.PathUnescape(a.head.Message)
		if err != nil {
			text = a.head.Message
		}
		return status.Error(codes.Code(code), text)
	}
	const prefix = 5 // whether it is compressed, and its length
	if len(a.body) < prefix || a.body[0] != 0 || int64(binary.BigEndian.Uint32(a.body[1:prefix])) != int64(len(a.body)-prefix) {
		return fmt.Errorf("%w: a body of %d bytes", errNoGRPC, len(a.body))
	}
	if a.into == nil {
		return nil
	}
	return a.into.Unmarshal(a.body[prefix:])
}
