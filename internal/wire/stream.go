package wire

import "golang.org/x/net/http2"

// Stream is one request and its answer.
type Stream struct {
	conn *Conn
	id   uint32

	// Guarded by the connection's lock.
	body   []byte // what of it is not sent yet
	window int64  // what the server takes of it

	// Of the goroutine that reads the connection.
	sink  Sink // nil once it has said who takes the rest
	rest  Body
	taken int   // bytes received since the last WINDOW_UPDATE
	left  int64 // bytes of the body that are still to come; below 0: not known
}

// Open sends a request, or gathers it in the cork where there is one. Its
// answer goes to the sink, which may be called before Open has returned.
// ErrFull says that the server allows no more streams on this connection now.
func (c *Conn) Open(r *Request, sink Sink, cork *Cork) (*Stream, error) {
	c.mu.Lock()
	switch {
	case c.err != nil:
		defer c.mu.Unlock()
		return nil, c.err
	case c.away != nil:
		defer c.mu.Unlock()
		return nil, c.away
	case c.next > 1<<31-1:
		defer c.mu.Unlock()
		return nil, &GoAwayError{}
	case c.open.Load() >= c.most.Load():
		defer c.mu.Unlock()
		return nil, ErrFull
	}
	s := &Stream{conn: c, sink: sink, id: c.next, window: c.initial, body: r.Body}
	c.next += 2
	c.streams[s.id] = s
	c.open.Add(1)
	c.writeHead(s.id, r)
	c.writeBody(s)
	if len(s.body) > 0 {
		c.pending = append(c.pending, s)
	}
	if cork != nil {
		cork.hold(c)
		c.mu.Unlock()
		return s, nil
	}
	c.flush()
	return s, nil
}

// Cancel resets the stream, if it has not ended; the sink is not told. A call of
// the sink that is under way may still come to its end after Cancel has
// returned.
func (s *Stream) Cancel() {
	c := s.conn
	c.mu.Lock()
	if !c.drop(s.id) {
		c.mu.Unlock()
		return
	}
	c.write(func(w *http2.Framer) error { return w.WriteRSTStream(s.id, http2.ErrCodeCancel) })
	c.flush()
}

// drop forgets a stream and says whether it was there; the lock is held.
func (c *Conn) drop(id uint32) bool {
	s, ok := c.streams[id]
	if ok {
		delete(c.streams, id)
		c.open.Add(-1)
		s.body = nil
	}
	return ok
}

// end tells who takes the answer that it has ended.
func (s *Stream) end(err error) {
	if s.sink != nil {
		s.sink.End(err)
		return
	}
	s.rest.End(err)
}
