package swift

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ways are how a connection can be made swift.
var ways = map[string]func(net.Conn) net.Conn{"plain": Conn, "buffered": Buffered}

// each runs a test of both ways.
func each(t *testing.T, test func(*testing.T, func(net.Conn) net.Conn)) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) { test(t, way) })
	}
}

// pair is two ends of a connection over loopback, the first of them swift.
func pair(t *testing.T, way func(net.Conn) net.Conn) (net.Conn, *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	a, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	return way(a), b.(*net.TCPConn)
}

// More goes through than any buffer holds, both ways at once, and all of it
// arrives.
func TestEverythingArrives(t *testing.T) { each(t, everythingArrives) }

func everythingArrives(t *testing.T, way func(net.Conn) net.Conn) {
	a, b := pair(t, way)
	sent := bytes.Repeat([]byte("storm"), 4<<20/5)
	var all sync.WaitGroup
	for _, way := range []struct{ from, to net.Conn }{{a, b}, {b, a}} {
		all.Go(func() {
			if n, err := way.from.Write(sent); n != len(sent) || err != nil {
				t.Errorf("wrote %d, %v", n, err)
			}
		})
		all.Go(func() {
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(way.to, got); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("what was read is not what was written: %v", err)
			}
		})
	}
	all.Wait()
}

func TestHowAConnectionEnds(t *testing.T) { each(t, howAConnectionEnds) }

func howAConnectionEnds(t *testing.T, way func(net.Conn) net.Conn) {
	t.Run("closed by the other", func(t *testing.T) {
		a, b := pair(t, way)
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
		if n, err := a.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Errorf("%d, %v", n, err)
		}
	})
	t.Run("reset by the other", func(t *testing.T) {
		a, b := pair(t, way)
		if err := errors.Join(b.SetLinger(0), b.Close()); err != nil {
			t.Fatal(err)
		}
		n, err := a.Read(make([]byte, 1))
		var op *net.OpError
		if n != 0 || !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &op) || op.Op != "read" {
			t.Errorf("read: %d, %v", n, err)
		}
		_, err = a.Write([]byte("x"))
		if !errors.Is(err, syscall.EPIPE) || !errors.As(err, &op) || op.Op != "write" {
			t.Errorf("write: %v", err)
		}
	})
	t.Run("closed from here, while it waits", func(t *testing.T) {
		a, _ := pair(t, way)
		told := make(chan error)
		go func() {
			_, err := a.Read(make([]byte, 1))
			told <- err
		}()
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-told; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	t.Run("deadline", func(t *testing.T) {
		a, _ := pair(t, way)
		if err := a.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
	t.Run("nothing asked", func(t *testing.T) {
		a, _ := pair(t, way)
		if n, err := a.Read(nil); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestAnyOtherConnectionIsAsItWas(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if Conn(a) != a {
		t.Error("a pipe of the program's own is no descriptor")
	}
}

// What is read in small parts comes whole and in order, whatever of it came at once;
// and while nothing is there, the connection has no buffer.
func TestABufferIsLentWhileSomethingIsInIt(t *testing.T) {
	a, b := pair(t, Buffered)
	sent := bytes.Repeat([]byte("storm"), 3*lentSize/5)
	if _, err := b.Write(sent); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 0, len(sent))
	for len(got) < len(sent) {
		n, err := a.Read(got[len(got):min(len(got)+9, len(sent))])
		if err != nil {
			t.Fatal(err)
		}
		got = got[:len(got)+n]
	}
	if !bytes.Equal(got, sent) {
		t.Error("what was read is not what was written")
	}
	if l, is := a.(*buffered); is && (l.from != nil || l.left != nil || l.r.p != nil) {
		t.Error("it keeps a buffer that is empty")
	}
	waiting := make(chan error)
	go func() {
		_, err := a.Read(make([]byte, 1))
		waiting <- err
	}()
	if err := errors.Join(b.Close(), <-waiting); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
