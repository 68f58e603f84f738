package client

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// decoder counts what a gzipped body holds, as it comes, and holds no more of it
// than is wanted.
// The goroutine that reads the connection hands it the parts; it waits when
// the decoder is far behind, as it would for a client that decodes.
type decoder struct {
	parts chan []byte
	batch []byte // the part that is being filled
	tail  *Tail
	rest  []byte
	n     int64
	err   error
	done  chan struct{}

	mu   sync.Mutex
	body *bytes.Buffer // what takes the beginning; nil: nobody wants it
	keep int64         // that it still takes, in bytes
}

// A part is of several frames: to wake the decoder for each of them costs a
// quarter of what counting a large body does.
const (
	partSize   = 64 << 10
	partsAhead = 16 // may wait
)

// inflaters are decompressors, which are large, to be used again.
var inflaters = sync.Pool{New: func() any { return new(gzip.Reader) }}

// newDecoder returns a decoder. So many bytes of the beginning of what it decodes go to
// body, which is nobody else's until end or drop, and the end to tail; both may be nil.
func newDecoder(body *bytes.Buffer, keep int64, tail *Tail) *decoder {
	d := &decoder{parts: make(chan []byte, partsAhead), done: make(chan struct{}), tail: tail, body: body, keep: keep}
	go d.run()
	return d
}

// take takes what has come of the body.
func (d *decoder) take(p []byte) {
	d.batch = append(d.batch, p...)
	if len(d.batch) >= partSize {
		d.parts <- d.batch
		d.batch = make([]byte, 0, cap(d.batch))
	}
}

// end returns how many bytes there were once all parts are decoded.
func (d *decoder) end() (int64, error) {
	if len(d.batch) > 0 {
		d.parts <- d.batch
	}
	close(d.parts)
	<-d.done
	return d.n, d.err
}

func (d *decoder) run() {
	defer close(d.done)
	z := inflaters.Get().(*gzip.Reader)
	defer inflaters.Put(z)
	if d.err = z.Reset(d); d.err == nil {
		d.n, d.err = io.Copy(sink{d}, z)
	}
	d.drop()            // the pool's decompressor still knows the decoder
	for range d.parts { // whoever hands them over must not wait for ever
	}
}

// drop has nothing more go to the body.
func (d *decoder) drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.body = nil
}

// sink takes what a decoder has decoded.
type sink struct{ *decoder }

// Write implements io.Writer; it never fails.
func (s sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	if n := min(int64(len(p)), s.keep); n > 0 && s.body != nil {
		s.body.Write(p[:n])
		s.keep -= n
	}
	s.mu.Unlock()
	if s.tail != nil {
		_, _ = s.tail.Write(p)
	}
	return len(p), nil
}

// Read implements io.Reader for the decompressor.
func (d *decoder) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		part, ok := <-d.parts
		if !ok {
			return 0, io.EOF
		}
		d.rest = part
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}
