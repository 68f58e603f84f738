package clusters

import (
	"net"
	"slices"
	"testing"
)

func TestBalancerTakesTurns(t *testing.T) {
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	a, down, c := listen(), listen(), listen()
	b := &balancer{servers: []string{a.Addr().String(), down.Addr().String(), c.Addr().String()}}
	_ = down.Close()
	b.turn.Store(2)
	var got []string
	for range 6 {
		conn, err := b.dial(t.Context(), "tcp", "elsewhere:1")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, conn.RemoteAddr().String())
		_ = conn.Close()
	}
	one, three := a.Addr().String(), c.Addr().String()
	if want := []string{three, one, three, three, one, three}; !slices.Equal(got, want) {
		t.Errorf("connections went to %v, want %v", got, want)
	}
	_ = a.Close()
	_ = c.Close()
	if conn, err := b.dial(t.Context(), "tcp", "elsewhere:1"); err == nil {
		t.Errorf("connected to %s, where nobody listens", conn.RemoteAddr())
	}
}
