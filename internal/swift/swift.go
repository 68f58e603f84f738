// Package swift reads and writes descriptors that never block, sockets and
// timers, without what the runtime does around a system call that may. The
// runtime's poller waits, as it does for package net. A program that is idle
// between two answers otherwise wakes the runtime's monitor thread with every
// call, which in a virtual machine costs more than the call itself: a third of
// what a load generator took.
package swift

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// transfer is a read or a write under way, on a descriptor. Nothing is allocated
// for it: what the poller calls is made once.
type transfer struct {
	raw syscall.RawConn
	do  func(fd uintptr) bool

	p   []byte
	n   int
	err syscall.Errno
}

// call makes a system call with what is left of p, and says whether it is done:
// where the descriptor is not ready, the poller waits for it.
func (t *transfer) call(trap, fd uintptr) bool {
	p := t.p[t.n:]
	for {
		n, _, err := syscall.RawSyscall(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
		switch err {
		case syscall.EINTR:
		case syscall.EAGAIN:
			return false
		case 0:
			t.n += int(n)
			return true
		default:
			t.err = err
			return true
		}
	}
}

// begin readies the transfer for p.
func (t *transfer) begin(p []byte) { t.p, t.n, t.err = p, 0, 0 }

// end returns what came of it.
func (t *transfer) end(err error, op string) (int, error) {
	t.p = nil
	if err == nil && t.err != 0 {
		err = os.NewSyscallError(op, t.err)
	}
	return t.n, err
}

// Reader reads a descriptor; one goroutine at a time may use it.
type Reader struct{ transfer }

// NewReader returns a reader of what c is a descriptor of, which must not block.
func NewReader(c syscall.Conn) (*Reader, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	r := &Reader{transfer{raw: raw}}
	r.do = func(fd uintptr) bool { return r.call(syscall.SYS_READ, fd) }
	return r, nil
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	r.begin(p)
	return r.ended(r.raw.Read(r.do))
}

// ended returns what came of a read.
func (r *Reader) ended(err error) (int, error) {
	n, err := r.end(err, "read")
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Writer writes to a descriptor; one goroutine at a time may use it.
type Writer struct{ transfer }

// NewWriter returns a writer to what c is a descriptor of, which must not block.
func NewWriter(c syscall.Conn) (*Writer, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	w := &Writer{transfer{raw: raw}}
	w.do = func(fd uintptr) bool {
		for w.n < len(w.p) && w.err == 0 {
			if !w.call(syscall.SYS_WRITE, fd) {
				return false
			}
		}
		return true
	}
	return w, nil
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	w.begin(p)
	return w.end(w.raw.Write(w.do), "write")
}

// conn is a connection that is read and written swiftly.
type conn struct {
	net.Conn
	r *Reader
	w *Writer
}

// Conn returns the connection with swift reads and writes, where it is one of
// the kernel's; any other as it is. One goroutine may read it at a time, and one
// write.
func Conn(c net.Conn) net.Conn {
	s, ok := c.(syscall.Conn)
	if !ok || raceDetector {
		return c
	}
	r, err := NewReader(s)
	if err != nil {
		return c
	}
	w, err := NewWriter(s)
	if err != nil {
		return c
	}
	return &conn{Conn: c, r: r, w: w}
}

// Read implements io.Reader.
func (c *conn) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	return n, c.named("read", err)
}

// Write implements io.Writer.
func (c *conn) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	return n, c.named("write", err)
}

// named is an error of a system call as package net has it.
func (c *conn) named(op string, err error) error {
	if _, ok := err.(*os.SyscallError); !ok { //nolint:errorlint // as it was made above
		return err
	}
	return &net.OpError{Op: op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
