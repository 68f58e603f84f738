package main

import (
	"io"
	"net"
)

// forward copies both ways until both sides have said all. The end of one
// direction is passed on, and an error ends both.
func forward(a, b net.Conn) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		pass(a, b)
	}()
	pass(b, a)
	<-done
	_, _ = a.Close(), b.Close()
}

// pass copies from one to the other, then says that there is no more.
func pass(from, to net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		_, _ = from.Close(), to.Close()
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
