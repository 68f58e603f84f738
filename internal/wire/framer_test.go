package wire

import (
	"testing"

	"golang.org/x/net/http2"
)

// Connections read with the same framers, in turn: a head that is not whole yet, or a
// frame that was refused, is nothing to the others.
func TestAConnectionsFramesAreItsOwn(t *testing.T) {
	slow, slowly := pair(t, Config{})
	late := newGot()
	if _, err := slow.Open(&Request{Method: "GET", Path: "/"}, late, nil); err != nil {
		t.Fatal(err)
	}
	written := make(chan struct{})
	go func() {
		_ = slowly.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte{0x88}})
		close(written)
	}()
	<-written // a pipe: it has been read
	for range 5 {
		broken, p := pair(t, Config{})
		g := newGot()
		if _, err := broken.Open(&Request{Method: "GET", Path: "/"}, g, nil); err != nil {
			t.Fatal(err)
		}
		go func() {
			// Padding beyond the frame's end, in a head that is not the whole.
			_, _ = p.Write([]byte{0, 0, 2, 1, 8, 0, 0, 0, 1, 200, 0x88})
		}()
		if <-g.done; !malformed(g.err) {
			t.Fatalf("ended with %v", g.err)
		}

		whole, q := pair(t, Config{})
		g = newGot()
		if _, err := whole.Open(&Request{Method: "GET", Path: "/"}, g, nil); err != nil {
			t.Fatal(err)
		}
		go func() {
			head(q, []byte{0x88}, false)
			_ = q.WriteData(1, true, []byte("body"))
		}()
		if <-g.done; g.err != nil || g.body.String() != "body" {
			t.Fatalf("%v, %q", g.err, g.body.String())
		}
	}
	go func() {
		_ = slowly.WriteContinuation(1, true, nil)
		_ = slowly.WriteData(1, true, []byte("late"))
	}()
	if <-late.done; late.err != nil || late.head.Status != 200 || late.body.String() != "late" {
		t.Errorf("%v, status %d, %q", late.err, late.head.Status, late.body.String())
	}
}
