package wire

import "golang.org/x/net/http2"

// writeBody appends as much of the stream's body as the server takes now; the
// lock is held.
func (c *Conn) writeBody(s *Stream) {
	for len(s.body) > 0 {
		n := min(int64(len(s.body)), int64(c.frame), s.window, c.window)
		if n <= 0 {
			return
		}
		part := s.body[:n]
		s.body = s.body[n:]
		s.window -= n
		c.window -= n
		c.write(func(w *http2.Framer) error { return w.WriteData(s.id, len(s.body) == 0, part) })
	}
	s.body = nil
}

// resume goes on with the bodies that waited for the server; the lock is held.
func (c *Conn) resume() {
	left := c.pending[:0]
	for _, s := range c.pending {
		c.writeBody(s)
		if len(s.body) > 0 {
			left = append(left, s)
		}
	}
	clear(c.pending[len(left):])
	c.pending = left
}

// opened takes a WINDOW_UPDATE. More than 2³¹-1 is against the protocol.
func (c *Conn) opened(f *http2.WindowUpdateFrame) error {
	c.mu.Lock()
	window := &c.window
	if f.StreamID != 0 {
		s, ok := c.streams[f.StreamID]
		if !ok {
			c.mu.Unlock()
			return nil // it has ended meanwhile
		}
		window = &s.window
	}
	*window += int64(f.Increment)
	if *window > 1<<31-1 {
		c.mu.Unlock()
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	c.resume()
	c.flush()
	return nil
}
