package wire

import (
	"bytes"
	"net"
	"testing"

	"golang.org/x/net/http2"
)

// echo sends a request from where an answer has come in, as a load does.
type echo struct {
	*got
	conn *Conn
	next *got
}

func (e *echo) Head(h Head) Body {
	e.got.Head(h)
	return e
}

func (e *echo) End(err error) {
	if _, cannot := e.conn.Open(&Request{Method: "GET", Path: "/next"}, e.next, nil); cannot != nil {
		err = cannot
	}
	e.got.End(err)
}

// counted counts the writes that hold a beginning of a request.
type counted struct {
	net.Conn
	begun chan int // requests begun in one write
}

func (c *counted) Write(p []byte) (int, error) {
	n := 0
	for rest := p; len(rest) >= headSize; {
		if http2.FrameType(rest[3]) == http2.FrameHeaders {
			n++
		}
		rest = rest[min(headSize+(int(rest[0])<<16|int(rest[1])<<8|int(rest[2])), len(rest)):]
	}
	if n > 0 {
		c.begun <- n
	}
	return c.Conn.Write(p)
}

// frames are frames as bytes.
func frames(t *testing.T, write func(*http2.Framer)) []byte {
	t.Helper()
	var out bytes.Buffer
	write(http2.NewFramer(&out, nil))
	return out.Bytes()
}

func answer(f *http2.Framer, id uint32) {
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0x88}, EndHeaders: true})
	_ = f.WriteData(id, true, []byte("body"))
}

// What answers that came together ask for goes out together; an answer of which a
// part is still on its way holds nothing up.
func TestWhatAnswersAskForGoesOutTogether(t *testing.T) {
	begun := make(chan int, 10)
	conn, p := pairOver(t, Config{}, func(here net.Conn) net.Conn { return &counted{here, begun} }, func(http2.Frame) {})
	ask := func() *echo {
		e := &echo{newGot(), conn, newGot()}
		if _, err := conn.Open(&Request{Method: "GET", Path: "/"}, e, nil); err != nil {
			t.Fatal(err)
		}
		if n := <-begun; n != 1 {
			t.Fatalf("%d requests in one write", n)
		}
		return e
	}
	one, two, three := ask(), ask(), ask() // the streams 1, 3, 5
	third := frames(t, func(f *http2.Framer) { answer(f, 5) })
	both := frames(t, func(f *http2.Framer) { answer(f, 1); answer(f, 3) })
	go func() { _, _ = p.Write(append(both, third[:5]...)) }()
	if n := <-begun; n != 2 {
		t.Errorf("%d requests in the write after two answers", n)
	}
	<-one.done
	<-two.done
	go func() { _, _ = p.Write(third[5:]) }()
	if n := <-begun; n != 1 {
		t.Errorf("%d requests in the write after the third answer", n)
	}
	if <-three.done; three.err != nil || three.body.String() != "body" {
		t.Errorf("the third: %v, %q", three.err, three.body.String())
	}
	conn.mu.Lock()
	defer conn.mu.Unlock()
	if conn.out != nil {
		t.Error("a connection that is idle keeps a buffer to write from")
	}
}

// A ping is answered though a frame has begun behind it, wherever that is cut off.
func TestAFrameOnItsWayHoldsNothingUp(t *testing.T) {
	whole := frames(t, func(f *http2.Framer) { _ = f.WritePing(false, [8]byte{2}) })
	for _, cut := range []int{1, headSize - 1, headSize, headSize + 3} {
		answered := make(chan [8]byte, 2)
		_, p := pairHeard(t, Config{}, func(f http2.Frame) {
			if ping, is := f.(*http2.PingFrame); is {
				answered <- ping.Data
			}
		})
		first := frames(t, func(f *http2.Framer) { _ = f.WritePing(false, [8]byte{1}) })
		go func() { _, _ = p.Write(append(first, whole[:cut]...)) }()
		if got := <-answered; got != [8]byte{1} {
			t.Errorf("cut off after %d: %v", cut, got)
		}
		go func() { _, _ = p.Write(whole[cut:]) }()
		if got := <-answered; got != [8]byte{2} {
			t.Errorf("cut off after %d, the rest: %v", cut, got)
		}
	}
}
