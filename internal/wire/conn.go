package wire

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What this side lets the server send before it is told to go on. All of it is
// taken as it comes; the sizes are those of Go's own client, so that a server
// meets the same as from client-go.
const (
	streamWindow = 4 << 20
	connWindow   = 1 << 30
)

// What RFC 9113 has a peer take for granted before SETTINGS come.
const (
	initialWindow   = 65_535
	initialMaxFrame = 16_384
)

// Conn is one connection. Its methods are safe for concurrent use.
type Conn struct {
	cfg   Config
	nc    net.Conn
	ready chan struct{} // closed by the server's first SETTINGS
	done  chan struct{} // closed when the connection has ended
	heard atomic.Int64  // when something was last read, ns since the epoch of the process's clock
	open  atomic.Int64  // streams open
	most  atomic.Int64  // streams that the server allows

	mu      sync.Mutex // guards everything below
	out     []byte     // frames that are not written yet; nil: there are none
	writing bool       // somebody is writing
	corked  bool       // the goroutine that reads handles what has come, and writes for all when it is through
	streams map[uint32]*Stream
	next    uint32 // the next stream's number
	pending []*Stream
	window  int64 // what the server takes of bodies on the connection
	initial int64 // and on a new stream
	frame   int   // largest frame that the server takes
	enc     *hpack.Encoder
	block   bytes.Buffer
	away    *GoAwayError // what the server has said GOAWAY with; nil: it has not
	err     error        // why the connection has ended
	pinged  bool         // and not answered yet
	wrote   int64        // when the write under way began, ns since the epoch; 0: none is
	timer   *time.Timer
}

func newConn(nc net.Conn, cfg Config) *Conn {
	c := &Conn{
		cfg: cfg, nc: nc, ready: make(chan struct{}), done: make(chan struct{}),
		streams: map[uint32]*Stream{}, next: 1,
		window: initialWindow, initial: initialWindow, frame: initialMaxFrame,
	}
	c.enc = hpack.NewEncoder(&c.block)
	c.most.Store(100) // until SETTINGS come, which Start waits for
	return c
}

// greet sends what a client begins with.
func (c *Conn) greet() error {
	c.mu.Lock()
	c.out = append(c.out, http2.ClientPreface...)
	c.write(func(w *http2.Framer) error {
		_ = w.WriteSettings(
			http2.Setting{ID: http2.SettingEnablePush, Val: 0},
			http2.Setting{ID: http2.SettingInitialWindowSize, Val: streamWindow},
			http2.Setting{ID: http2.SettingMaxFrameSize, Val: initialMaxFrame},
		)
		return w.WriteWindowUpdate(0, connWindow-initialWindow)
	})
	c.flush()
	return c.Err()
}

// flush writes what has gathered, and unlocks. Whoever finds nobody writing
// writes, for all who come meanwhile too: under load, many requests go out in
// one record, and none waits for a goroutine of its own to be woken.
func (c *Conn) flush() {
	if c.writing || c.corked || c.err != nil {
		c.mu.Unlock()
		return
	}
	c.writing = true
	for len(c.out) > 0 && c.err == nil {
		buf := c.out
		c.out = nil
		c.wrote = sinceEpoch()
		c.mu.Unlock()
		_, err := c.nc.Write(buf)
		c.mu.Lock()
		c.wrote = 0
		giveBack(buf)
		if err != nil {
			c.writing = false
			c.mu.Unlock()
			c.fail(c.lost(fmt.Errorf("write: %w", err)))
			return
		}
	}
	c.writing = false
	c.mu.Unlock()
}

// Streams returns how many streams the connection has, and how many the server
// allows at once, as its SETTINGS say.
func (c *Conn) Streams() (open, most int) { return int(c.open.Load()), int(c.most.Load()) }

// Err is why the connection takes no more streams; nil while it does.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil && c.away != nil {
		return c.away
	}
	return c.err
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close ends the connection; its streams end with ErrClosed, soon after.
func (c *Conn) Close() { c.fail(ErrClosed) }

// fail ends the connection; the first reason counts. The goroutine that reads
// finds it closed and ends the streams, so that it alone calls sinks.
func (c *Conn) fail(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
		c.out, c.pending = nil, nil
		if c.timer != nil {
			c.timer.Stop()
		}
	}
	c.mu.Unlock()
	if !first {
		return
	}
	nc := c.nc
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn() // TLS would wait for its farewell to be written
	}
	_ = nc.Close() // the reason is said already
}

// lost says why the connection is lost that could not be read or written any more:
// by the server's own word, where it has said that it closes it.
func (c *Conn) lost(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err = named(err); c.away != nil && !errors.Is(err, ErrMalformed) {
		return c.away
	}
	return err
}

// endAll ends every stream with why the connection has ended. What is left on one
// that the server closes is what it had seen: the rest has ended with its GOAWAY.
func (c *Conn) endAll() {
	c.mu.Lock()
	left, err := c.streams, c.err
	var away *GoAwayError
	if errors.As(err, &away) {
		err = &GoAwayError{Code: away.Code, Seen: true}
	}
	c.streams = nil
	c.open.Add(int64(-len(left)))
	c.mu.Unlock()
	for _, s := range left {
		s.end(err)
	}
	close(c.done)
}
