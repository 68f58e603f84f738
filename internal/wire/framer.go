package wire

import (
	"bufio"
	"errors"
	"io"
	"sync"

	"golang.org/x/net/http2"
)

// headSize is how long the head of a frame is, in bytes; RFC 9113, 4.1.
const headSize = 9

// framer reads and writes frames for whichever connection has some: its buffers are
// as large as the largest frame, and thousands of connections that wait need none.
type framer struct {
	*http2.Framer
	to   *[]byte   // where it writes
	head []byte    // what it reads,
	from io.Reader // and then this
}

var framers = sync.Pool{New: func() any {
	f := &framer{}
	f.Framer = http2.NewFramer(f, f)
	f.SetReuseFrames()
	f.SetMaxReadFrameSize(initialMaxFrame)
	return f
}}

// Write implements io.Writer.
func (f *framer) Write(p []byte) (int, error) {
	*f.to = append(*f.to, p...)
	return len(p), nil
}

// Read implements io.Reader.
func (f *framer) Read(p []byte) (int, error) {
	if len(f.head) > 0 {
		n := copy(p, f.head)
		f.head = f.head[n:]
		return n, nil
	}
	return f.from.Read(p)
}

// release gives the framer to the next connection.
func (f *framer) release() {
	f.to, f.head, f.from = nil, nil, nil
	framers.Put(f)
}

// outSize is as much as most writes take; what is longer grows.
const outSize = 4 << 10

// outs are the buffers of what is written.
var outs = sync.Pool{New: func() any { return new([outSize]byte) }}

// giveBack leaves the buffer of what was written to the next write, unless it has grown.
func giveBack(b []byte) {
	if cap(b) == outSize {
		outs.Put((*[outSize]byte)(b[:outSize]))
	}
}

// write appends frames to what is to go out; the lock is held. Nothing is sent yet,
// so that it cannot fail.
func (c *Conn) write(frames func(*http2.Framer) error) {
	if c.out == nil {
		c.out = outs.Get().(*[outSize]byte)[:0]
	}
	f := framers.Get().(*framer)
	f.to = &c.out
	_ = frames(f.Framer)
	f.release()
}

// readBuffer is how much is taken from TLS at once; larger reads go past it.
const readBuffer = 4 << 10

// plains are the buffers of the connections that something has come on.
var plains = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBuffer) }}

// await waits for the head of the next frame, with no buffer while nothing has come.
func (r *reader) await() error {
	if r.plain != nil && r.plain.Buffered() > 0 {
		_, err := io.ReadFull(r.plain, r.headOf[:])
		return err
	}
	r.dry()
	if _, err := io.ReadFull(r.nc, r.headOf[:]); err != nil {
		return err
	}
	r.plain = plains.Get().(*bufio.Reader)
	r.plain.Reset(r.nc)
	return nil
}

// dry gives the buffer to the next connection.
func (r *reader) dry() {
	if r.plain != nil {
		r.plain.Reset(nil)
		plains.Put(r.plain)
		r.plain = nil
	}
}

// following reads the next frame, which is valid until the next call. While it waits
// for one, the connection has no framer, unless a header block is coming in: that its
// frames follow each other is for one framer to see.
func (r *reader) following() (http2.Frame, error) {
	if r.framer != nil && !r.within {
		r.framer.release()
		r.framer = nil
	}
	if err := r.await(); err != nil {
		return nil, err
	}
	f := r.framer
	if f == nil {
		f = framers.Get().(*framer)
	}
	r.framer = nil // one that has refused a frame is nobody's
	f.head, f.from = r.headOf[:], r.plain
	frame, err := f.ReadFrame()
	switch {
	case err == nil:
		r.framer = f
	case r.headOf[3] == byte(http2.FrameHeaders):
		// A header block that was refused was not decompressed either: RFC 9113, 4.3.
		var stream http2.StreamError
		if errors.As(err, &stream) {
			err = http2.ConnectionError(http2.ErrCodeCompression)
		}
	}
	return frame, err
}
