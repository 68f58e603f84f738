package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/net/http2"
)

// reader is the goroutine that reads a connection: it alone calls sinks.
type reader struct {
	*Conn
	plain   *bufio.Reader // what has come and is decrypted; nil: nothing has
	heads   *heads
	headOf  [headSize]byte // of the next frame
	framer  *framer        // what has read the last one, and is to be released; nil: none
	within  bool           // a header block is coming in
	ends    bool           // and is the last of its stream
	took    int            // bytes received on the connection since the last WINDOW_UPDATE
	settled bool           // the server's SETTINGS have come
	corking bool           // as corked, without its lock
}

// read reads the connection until it ends, and ends its streams.
func (c *Conn) read() {
	r := &reader{Conn: c, heads: newHeads()}
	for {
		r.uncork()
		f, err := r.following()
		var stream http2.StreamError
		switch {
		case err == nil:
			c.heard.Store(sinceEpoch())
			r.cork()
			if err = r.handle(f); err == nil {
				err = r.gone()
			}
		case errors.As(err, &stream):
			r.break_(stream.StreamID, err)
			continue
		}
		if err != nil {
			c.fail(c.lost(err))
			break
		}
	}
	r.dry()
	c.endAll()
}

// epoch is what times count from, on the process's monotonic clock.
var epoch = time.Now()

func sinceEpoch() int64 { return int64(time.Since(epoch)) }

// named says of what ended the connection whether it is a breach of the protocol.
func named(err error) error {
	var conn http2.ConnectionError
	if errors.As(err, &conn) || errors.Is(err, http2.ErrFrameTooLarge) {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return err
}

// handle handles one frame.
func (r *reader) handle(f http2.Frame) error {
	if _, is := f.(*http2.SettingsFrame); !r.settled && !is {
		return http2.ConnectionError(http2.ErrCodeProtocol) // SETTINGS come first
	}
	switch f := f.(type) {
	case *http2.DataFrame:
		return r.data(f)
	case *http2.HeadersFrame:
		r.ends = f.StreamEnded()
		return r.head(f.StreamID, f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.ContinuationFrame:
		return r.head(f.StreamID, f.HeaderBlockFragment(), f.HeadersEnded())
	case *http2.SettingsFrame:
		return r.settings(f)
	case *http2.WindowUpdateFrame:
		return r.opened(f)
	case *http2.RSTStreamFrame:
		if s := r.take(f.StreamID); s != nil {
			s.end(&StreamError{f.ErrCode})
		}
	case *http2.GoAwayFrame:
		r.goAway(f)
	case *http2.PingFrame:
		if !f.IsAck() {
			r.mu.Lock()
			r.write(func(w *http2.Framer) error { return w.WritePing(true, f.Data) })
			r.flush()
		}
	case *http2.PushPromiseFrame:
		return http2.ConnectionError(http2.ErrCodeProtocol) // it was told not to
	}
	return nil
}

// known returns an open stream. One that was cancelled is not known any more,
// which is no mistake of the server's; one that was never opened is.
func (r *reader) known(id uint32) (*Stream, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id%2 == 0 || id >= r.next {
		return nil, http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return r.streams[id], nil
}

// take returns an open stream, and forgets it.
func (r *reader) take(id uint32) *Stream {
	r.mu.Lock()
	s := r.streams[id]
	if s == nil {
		r.mu.Unlock()
		return nil
	}
	unsent := len(s.body) > 0
	r.drop(id)
	if !unsent {
		r.mu.Unlock()
		return s
	}
	// The server has answered without reading everything: it is told that the
	// rest will not come.
	r.write(func(w *http2.Framer) error { return w.WriteRSTStream(id, http2.ErrCodeNo) })
	r.flush()
	return s
}

// break_ resets one stream over a breach of the protocol.
func (r *reader) break_(id uint32, err error) {
	r.mu.Lock()
	s := r.streams[id]
	r.drop(id)
	r.write(func(w *http2.Framer) error { return w.WriteRSTStream(id, http2.ErrCodeProtocol) })
	r.flush()
	if s != nil {
		s.end(fmt.Errorf("%w: %w", ErrMalformed, err))
	}
}

var (
	errOrder    = errors.New("a body without a head, or two heads")
	errLong     = errors.New("a body beyond its length")
	errNoStatus = errors.New("a head without a status, or an interim one that is the last")
)

// head takes a part of a header block. The compression's state is the
// connection's, so that blocks of unknown streams are decoded too.
func (r *reader) head(id uint32, fragment []byte, whole bool) error {
	r.within = !whole
	s, err := r.known(id)
	if err != nil {
		return err
	}
	h, err := r.heads.take(fragment, whole)
	if err != nil || !whole || s == nil {
		return err
	}
	trailers := s.sink == nil
	switch {
	case trailers && !r.ends:
		r.break_(id, errOrder)
		return nil
	case trailers:
		if t, ok := s.rest.(Trailed); ok {
			t.Trailer(h)
		}
	case h.Status == 0, h.Status < 200 && r.ends:
		r.break_(id, errNoStatus)
		return nil
	case h.Status < 200: // an interim answer; the real one follows
		return nil
	default:
		s.left = h.Length
		s.rest = s.sink.Head(h)
		s.sink = nil
	}
	if r.ends {
		r.finish(id)
	}
	return nil
}

// finish ends a stream in good order, unless the sink has cancelled it.
func (r *reader) finish(id uint32) {
	s := r.take(id)
	switch {
	case s == nil:
	case s.left > 0:
		s.end(io.ErrUnexpectedEOF)
	default:
		s.end(nil)
	}
}

// data takes a part of a body.
func (r *reader) data(f *http2.DataFrame) error {
	s, err := r.known(f.StreamID)
	if err != nil {
		return err
	}
	size := int(f.Length)
	if s != nil && s.sink != nil {
		r.break_(f.StreamID, errOrder)
		s = nil
	}
	if n := int64(len(f.Data())); s != nil && n > 0 {
		if s.left >= 0 {
			if s.left -= n; s.left < 0 {
				r.break_(f.StreamID, errLong)
				return nil
			}
		}
		s.rest.Data(f.Data())
	}
	if f.StreamEnded() {
		r.received(nil, size)
		if s != nil {
			r.finish(f.StreamID)
		}
		return nil
	}
	r.received(s, size)
	return nil
}

// received lets the server send on, once half of what it may send has come;
// size includes padding.
func (r *reader) received(s *Stream, size int) {
	conn, stream := 0, 0
	if r.took += size; r.took >= connWindow/2 {
		conn, r.took = r.took, 0
	}
	if s != nil {
		if s.taken += size; s.taken >= streamWindow/2 {
			stream, s.taken = s.taken, 0
		}
	}
	if conn+stream == 0 {
		return
	}
	r.mu.Lock()
	if conn > 0 {
		r.write(func(w *http2.Framer) error { return w.WriteWindowUpdate(0, uint32(conn)) })
	}
	if stream > 0 {
		r.write(func(w *http2.Framer) error { return w.WriteWindowUpdate(s.id, uint32(stream)) })
	}
	r.flush()
}
