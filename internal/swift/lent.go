package swift

import (
	"bufio"
	"net"
	"sync"
	"syscall"
)

// lentSize is how much is read at once through a buffer; what asks for more
// reads past it.
const lentSize = 4 << 10

// lent are the buffers of all connections that have something in one.
var lent = sync.Pool{New: func() any { return new([lentSize]byte) }}

// Buffered returns the connection with swift reads and writes, as Conn does, read
// through a buffer that it has only while something is in it: of thousands that
// wait, none has one. A connection that is none of the kernel's keeps one.
func Buffered(c net.Conn) net.Conn {
	s, is := Conn(c).(*conn)
	if !is {
		return &kept{Conn: c, r: bufio.NewReaderSize(c, lentSize)}
	}
	b := &buffered{conn: s}
	b.lend = func(fd uintptr) bool {
		from := lent.Get().(*[lentSize]byte)
		b.r.p = from[:]
		ready := b.r.call(syscall.SYS_READ, fd)
		if b.r.n == 0 {
			b.r.p = nil
			lent.Put(from)
			return ready
		}
		b.from, b.left = from, from[:b.r.n]
		return true
	}
	return b
}

// buffered is a connection that is read through a buffer.
type buffered struct {
	*conn
	lend func(fd uintptr) bool
	from *[lentSize]byte // the buffer, while it has one
	left []byte          // of what is in it
}

// Read implements io.Reader.
func (b *buffered) Read(p []byte) (int, error) {
	if len(b.left) == 0 {
		if len(p) == 0 || len(p) >= lentSize {
			return b.conn.Read(p)
		}
		b.r.begin(nil)
		if n, err := b.r.ended(b.r.raw.Read(b.lend)); n == 0 || err != nil {
			return 0, b.named("read", err)
		}
	}
	n := copy(p, b.left)
	if b.left = b.left[n:]; len(b.left) == 0 {
		lent.Put(b.from)
		b.from, b.left = nil, nil
	}
	return n, nil
}

// kept is a connection with a buffer of its own.
type kept struct {
	net.Conn
	r *bufio.Reader
}

// Read implements io.Reader.
func (k *kept) Read(p []byte) (int, error) { return k.r.Read(p) }
