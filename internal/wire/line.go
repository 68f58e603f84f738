package wire

import (
	"context"
	"errors"
	"sync"
)

// Line is one connection to one server that is made anew, at once and as often
// as something is asked for after it was lost: what is asked tells how the
// server is, so that neither another connection nor a pause may stand between.
// Nothing is sent twice. Its methods are safe for concurrent use.
type Line struct {
	cfg    Config
	ctx    context.Context // ends with the line
	cancel context.CancelFunc

	mu      sync.Mutex
	conn    *Conn
	dialing bool
	waiting []Caller // for the connection that is being made
	idle    sync.WaitGroup
}

// Caller is one who asks something on a line.
type Caller interface {
	Sink
	// Request is what is asked; it is read once there is a connection.
	Request() *Request
	// Opened is told the stream, to cancel it by. It may have ended already.
	Opened(s *Stream)
	// Over says that the answer is not waited for any more.
	Over() bool
}

// ErrUnreachable says that no connection could be made, so that nothing was sent.
var ErrUnreachable = errors.New("no connection")

// unreachable is why a connection could not be made.
type unreachable struct{ err error }

func (u *unreachable) Error() string        { return ErrUnreachable.Error() + ": " + u.err.Error() }
func (u *unreachable) Unwrap() error        { return u.err }
func (u *unreachable) Is(target error) bool { return target == ErrUnreachable }

// NewLine makes a line. It connects when something is asked.
func NewLine(cfg Config) *Line {
	l := &Line{cfg: cfg}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Ask sends the caller's request, or gathers it in the cork where there is one.
// Where there is no connection, it is sent once there is; that is not waited for
// here. What becomes of it the caller is told as a Sink, by another goroutine
// mostly.
func (l *Line) Ask(c Caller, cork *Cork) {
	l.mu.Lock()
	if l.ctx.Err() != nil {
		l.mu.Unlock()
		c.End(ErrClosed)
		return
	}
	if l.conn != nil && l.conn.Err() != nil {
		l.conn = nil
	}
	if l.conn == nil {
		l.waiting = append(l.waiting, c)
		if !l.dialing {
			l.dialing = true
			l.idle.Go(l.dial)
		}
		l.mu.Unlock()
		return
	}
	conn := l.conn
	l.mu.Unlock()
	open(conn, c, cork)
}

func open(conn *Conn, c Caller, cork *Cork) {
	s, err := conn.Open(c.Request(), c, cork)
	if err != nil {
		c.End(err)
		return
	}
	c.Opened(s)
}

// dial makes a connection and sends what has waited for it.
func (l *Line) dial() {
	conn, err := Dial(l.ctx, l.cfg)
	l.mu.Lock()
	waiting := l.waiting
	l.waiting, l.dialing = nil, false
	switch {
	case err != nil:
		err = &unreachable{err}
	case l.ctx.Err() != nil:
		conn.Close()
		err = ErrClosed
	default:
		l.conn = conn
	}
	l.mu.Unlock()
	var cork Cork
	for _, c := range waiting {
		switch {
		case err != nil:
			c.End(err)
		case !c.Over():
			open(conn, c, &cork)
		}
	}
	cork.Flush()
}

// Close ends the connection, and returns when its streams have ended, with
// ErrClosed.
func (l *Line) Close() {
	l.cancel()
	l.mu.Lock()
	conn := l.conn
	l.conn = nil
	l.mu.Unlock()
	if conn != nil {
		conn.Close()
		<-conn.Done()
	}
	l.idle.Wait()
}
