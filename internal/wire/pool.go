package wire

import (
	"context"
	"slices"
	"sync"
)

// Pool is connections to one server, opened as the streams that the server
// allows on those it has are used up: one at a time, so that a server's restart
// is not met by a storm of handshakes that no scenario asked for.
type Pool struct {
	cfg    Config
	ctx    context.Context // ends with the pool
	cancel context.CancelFunc

	mu      sync.Mutex
	conns   []*Conn
	dialing *dialing
	at      int // where the last stream was opened
}

// dialing is a connection being opened, and all who wait for it.
type dialing struct {
	done chan struct{}
	err  error // valid after done
}

// NewPool makes a pool. It connects when it is asked for a stream.
func NewPool(cfg Config) *Pool {
	p := &Pool{cfg: cfg}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Open opens a stream on a connection that has room, and waits for one where
// none has. ctx bounds the wait alone.
func (p *Pool) Open(ctx context.Context, r *Request, sink Sink) (*Stream, error) {
	for {
		s, d, err := p.try(r, sink, nil)
		if s != nil || err != nil {
			return s, err
		}
		select {
		case <-d.done:
			if d.err != nil {
				return nil, d.err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// OpenNow opens a stream if a connection has room, and returns ErrFull if none
// has; a further connection is then on its way.
func (p *Pool) OpenNow(r *Request, sink Sink, cork *Cork) (*Stream, error) {
	s, d, err := p.try(r, sink, cork)
	if d != nil {
		return nil, ErrFull
	}
	return s, err
}

// try opens a stream, or returns what to wait for.
func (p *Pool) try(r *Request, sink Sink, cork *Cork) (*Stream, *dialing, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx.Err() != nil {
		return nil, nil, ErrClosed
	}
	for range len(p.conns) {
		if p.at >= len(p.conns) {
			p.at = 0
		}
		c := p.conns[p.at]
		if open, most := c.Streams(); open < most {
			s, err := c.Open(r, sink, cork)
			if err == nil {
				return s, nil, nil
			}
		}
		p.at++
	}
	// Only now, when there is a handshake to be made anyway, are those that
	// have ended looked for.
	p.conns = slices.DeleteFunc(p.conns, func(c *Conn) bool { return c.Err() != nil })
	if p.dialing == nil {
		p.dialing = &dialing{done: make(chan struct{})}
		go p.dial(p.dialing)
	}
	return nil, p.dialing, nil
}

// dial opens a connection. It does not end with the request that asked for it,
// because others wait for it too.
func (p *Pool) dial(d *dialing) {
	c, err := Dial(p.ctx, p.cfg)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil:
		d.err = err
	case p.ctx.Err() != nil:
		c.Close()
		d.err = ErrClosed
	default:
		p.conns = append(p.conns, c)
		p.at = len(p.conns) - 1
	}
	p.dialing = nil
	close(d.done)
}

// Connections returns how many connections are usable.
func (p *Pool) Connections() int {
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

// HangUp ends every connection there is, as the end of a process does, and
// returns when their streams have ended, with ErrHungUp. The pool stays usable:
// the next stream is opened on a new connection.
func (p *Pool) HangUp() {
	p.mu.Lock()
	conns := p.conns
	p.conns = nil
	p.mu.Unlock()
	for _, c := range conns {
		c.fail(ErrHungUp)
	}
	for _, c := range conns {
		<-c.Done()
	}
}

// Close ends every connection, and returns when their streams have ended.
func (p *Pool) Close() {
	p.cancel()
	p.mu.Lock()
	conns, d := p.conns, p.dialing
	p.conns = nil
	p.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
	for _, c := range conns {
		<-c.Done()
	}
	if d != nil {
		<-d.done
	}
}
