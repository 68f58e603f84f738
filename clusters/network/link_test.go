package network

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"
)

// two makes a network of two hosts, a and b, and skips where that cannot be.
func two(t testing.TB) *Network {
	t.Helper()
	if ok, why := Probe(); !ok {
		t.Skip("no network namespaces here: " + why)
	}
	claim, err := ClaimSlot()
	if err != nil {
		t.Fatal(err)
	}
	n, err := New(claim.Slot, "storm-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(n.Close(), claim.Release()); err != nil {
			t.Error(err)
		}
	})
	for i, name := range []string{"a", "b"} {
		addr, err := n.AddHost(name)
		if err != nil {
			t.Fatal(err)
		}
		if want := claim.HostAddr(i); addr != want {
			t.Errorf("address of %s: %s, want %s", name, addr, want)
		}
	}
	return n
}

// on runs f on a host: the sockets it makes are that host's.
func on(t testing.TB, n *Network, name string, f func() error) {
	t.Helper()
	ns := n.machine
	if name != Machine {
		h, err := n.host(name)
		if err != nil {
			t.Fatal(err)
		}
		ns = h.ns
	}
	if err := ns.do(f); err != nil {
		t.Fatal(err)
	}
}

func addr(t testing.TB, n *Network, name string) netip.Addr {
	t.Helper()
	if name == Machine {
		return n.slot.MachineAddr()
	}
	h, err := n.host(name)
	if err != nil {
		t.Fatal(err)
	}
	return h.addr
}

func listen(t testing.TB, n *Network, name string) *net.TCPListener {
	t.Helper()
	var l *net.TCPListener
	on(t, n, name, func() (err error) {
		l, err = net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(netip.AddrPortFrom(addr(t, n, name), 0)))
		return err
	})
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// connect returns both ends of a TCP connection, the dialler's first.
func connect(t testing.TB, n *Network, from, to string) (near, far *net.TCPConn) {
	t.Helper()
	l := listen(t, n, to)
	on(t, n, from, func() (err error) {
		near, err = net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
		return err
	})
	far, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	return near, far
}

// roundTrip sends a byte there and back and returns the least time of some tries.
func roundTrip(t testing.TB, near, far *net.TCPConn, tries int) time.Duration {
	t.Helper()
	least := time.Hour
	b := make([]byte, 1)
	for range tries {
		start := time.Now()
		for _, way := range [][2]*net.TCPConn{{near, far}, {far, near}} {
			if _, err := way[0].Write(b); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(way[1], b); err != nil {
				t.Fatal(err)
			}
		}
		least = min(least, time.Since(start))
	}
	return least
}

func dropped(t testing.TB, n *Network, from, to string) uint64 {
	t.Helper()
	s, err := n.Link(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return s.Dropped
}

func awaitDropped(t testing.TB, n *Network, from, to string, least uint64) {
	t.Helper()
	for dropped(t, n, from, to) < least {
		time.Sleep(time.Millisecond)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestHostsAndMachineReachEachOther(t *testing.T) {
	n := two(t)
	for _, way := range [][2]string{{"a", "b"}, {"b", "a"}, {Machine, "a"}, {"b", Machine}} {
		near, far := connect(t, n, way[0], way[1])
		roundTrip(t, near, far, 1)
		if got, want := near.LocalAddr().(*net.TCPAddr).AddrPort().Addr(), addr(t, n, way[0]); got != want {
			t.Errorf("%s → %s comes from %s, want %s", way[0], way[1], got, want)
		}
	}
}

func TestCutIsSilentAndOneWay(t *testing.T) {
	n := two(t)
	near, far := connect(t, n, "a", "b")
	roundTrip(t, near, far, 1)

	must(t, n.Cut("a", "b"))
	must(t, n.Cut("a", "b")) // again changes nothing
	if _, err := near.Write([]byte("lost?")); err != nil {
		t.Fatal(err)
	}
	awaitDropped(t, n, "a", "b", 2) // the segment, and at least one retransmission
	// b's words still reach a, though a's acknowledgements do not reach b.
	if _, err := far.Write([]byte("heard")); err != nil {
		t.Fatal(err)
	}
	heard := make([]byte, 5)
	if _, err := io.ReadFull(near, heard); err != nil || string(heard) != "heard" {
		t.Fatalf("from b to a: %q, %v", heard, err)
	}
	// Nothing of a's has come to b; and nobody was told: no reset, no
	// unreachable. A read until a moment ahead is merely too early.
	must(t, far.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	if m, err := far.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("b reads %d bytes, %v; want silence", m, err)
	}
	must(t, far.SetReadDeadline(time.Time{}))
	if got := dropped(t, n, "b", "a"); got != 0 {
		t.Errorf("dropped from b to a: %d, want 0", got)
	}

	must(t, n.Mend("a", "b"))
	must(t, n.Mend("a", "b"))
	lost := make([]byte, 5)
	if _, err := io.ReadFull(far, lost); err != nil || string(lost) != "lost?" {
		t.Fatalf("after mending: %q, %v", lost, err)
	}
	after := dropped(t, n, "a", "b")
	if after < 2 {
		t.Errorf("the count is lost with the mending: %d", after)
	}
	roundTrip(t, near, far, 1)
	if got := dropped(t, n, "a", "b"); got != after {
		t.Errorf("dropped after mending: %d, then %d", after, got)
	}
	must(t, n.Cut("a", "b"))
	// At most an acknowledgement that was still owed.
	if got := dropped(t, n, "a", "b"); got >= after {
		t.Errorf("a new cut begins to count at %d", got)
	}
}

func TestCutLetsTheOtherWayAskForConnections(t *testing.T) {
	n := two(t)
	inA, inB := listen(t, n, "a"), listen(t, n, "b")
	must(t, n.Cut("a", "b"))

	// b's SYN reaches a: the only thing that makes a send anything is an
	// answer to it, and that answer is what the cut drops.
	before := dropped(t, n, "a", "b")
	var refused error
	on(t, n, "b", func() error {
		_, refused = (&net.Dialer{Timeout: 100 * time.Millisecond}).Dial("tcp4", inA.Addr().String())
		return nil
	})
	var timeout net.Error
	if !errors.As(refused, &timeout) || !timeout.Timeout() {
		t.Errorf("dialling from b to a: %v, want a timeout", refused)
	}
	if dropped(t, n, "a", "b") == before {
		t.Error("b's SYN brought no answer of a's to drop: the cut works both ways")
	}
	// a's SYN does not reach b.
	on(t, n, "a", func() error {
		_, refused = (&net.Dialer{Timeout: 100 * time.Millisecond}).Dial("tcp4", inB.Addr().String())
		return nil
	})
	if !errors.As(refused, &timeout) || !timeout.Timeout() {
		t.Errorf("dialling from a to b: %v, want a timeout", refused)
	}
	must(t, inB.SetDeadline(time.Now().Add(10*time.Millisecond)))
	if _, err := inB.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("b accepts: %v", err)
	}

	must(t, n.Mend("a", "b"))
	near, far := connect(t, n, "a", "b")
	roundTrip(t, near, far, 1)
}

func TestCutFromTheMachine(t *testing.T) {
	n := two(t)
	toA, inA := connect(t, n, Machine, "a")
	toB, inB := connect(t, n, Machine, "b")
	must(t, n.Cut(Machine, "a"))
	if _, err := toA.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	awaitDropped(t, n, Machine, "a", 1)
	roundTrip(t, toB, inB, 1)
	must(t, n.Mend(Machine, "a"))
	if _, err := io.ReadFull(inA, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := n.Cut("a", Machine); err == nil {
		t.Error("cutting a host from the machine: no error")
	}
}

func TestDelayHoldsOneWayOfOpenConnections(t *testing.T) {
	n := two(t)
	near, far := connect(t, n, "a", "b")
	direct := roundTrip(t, near, far, 20)

	const d = 100 * time.Millisecond
	must(t, n.Delay("a", "b", d))
	once := roundTrip(t, near, far, 5)
	if once < d {
		t.Errorf("a round trip takes %s with one way delayed by %s (%s without)", once, d, direct)
	}
	s, err := n.Link("a", "b")
	must(t, err)
	if s.Delayed < 5 || s.Overflowed != 0 || s.Delay != d {
		t.Errorf("of the delayed way: %+v", s)
	}
	if s, err := n.Link("b", "a"); err != nil || s.Delayed != 0 {
		t.Errorf("of the other way: %+v, %v", s, err)
	}

	must(t, n.Delay("b", "a", d))
	if both := roundTrip(t, near, far, 5); both < 2*d {
		t.Errorf("a round trip takes %s with both ways delayed by %s", both, d)
	}
	must(t, n.Delay("a", "b", 3*d)) // another delay in the place of the first
	if more := roundTrip(t, near, far, 2); more < 4*d {
		t.Errorf("a round trip takes %s with ways delayed by %s and %s", more, 3*d, d)
	}
	// A connection made meanwhile is no exception, nor is its handshake.
	start := time.Now()
	connect(t, n, "a", "b")
	if took := time.Since(start); took < 4*d {
		t.Errorf("connecting takes %s over ways delayed by %s and %s", took, 3*d, d)
	}

	must(t, n.Mend("a", "b"))
	must(t, n.Mend("a", "b"))
	if took := roundTrip(t, near, far, 5); took < d {
		t.Errorf("a round trip takes %s with b → a still delayed by %s", took, d)
	}
	must(t, n.Mend("b", "a"))
	if mended := roundTrip(t, near, far, 20); mended >= d {
		t.Errorf("a round trip takes %s after mending, %s before the delay", mended, direct)
	}
}

func TestMendKeepsTheOrder(t *testing.T) {
	n := two(t)
	var in *net.UDPConn
	on(t, n, "b", func() (err error) {
		in, err = net.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr(t, n, "b"), 0)))
		return err
	})
	t.Cleanup(func() { _ = in.Close() })
	var out *net.UDPConn
	on(t, n, "a", func() (err error) {
		out, err = net.DialUDP("udp4", nil, in.LocalAddr().(*net.UDPAddr))
		return err
	})
	t.Cleanup(func() { _ = out.Close() })
	send := func(from, to uint32) {
		for i := from; i < to; i++ {
			if _, err := out.Write(binary.BigEndian.AppendUint32(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	must(t, n.Delay("a", "b", MaxDelay))
	const half = 100
	send(0, half)
	for {
		s, err := n.Link("a", "b")
		must(t, err)
		if s.Held == half {
			break
		}
		time.Sleep(time.Millisecond)
	}
	must(t, n.Mend("a", "b")) // what is held comes now, not in a minute
	send(half, 2*half)
	var got []uint32
	b := make([]byte, 16)
	for len(got) < 2*half {
		m, err := in.Read(b)
		if err != nil || m != 4 {
			t.Fatalf("read %d bytes, %v", m, err)
		}
		got = append(got, binary.BigEndian.Uint32(b))
	}
	if !slices.IsSorted(got) {
		t.Errorf("order of arrival: %v", got)
	}
}

func TestCutHoldsOnADelayedLink(t *testing.T) {
	n := two(t)
	near, far := connect(t, n, "a", "b")
	must(t, n.Delay("a", "b", time.Millisecond))
	must(t, n.Cut("a", "b"))
	if _, err := near.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	awaitDropped(t, n, "a", "b", 1)
	must(t, n.Mend("a", "b"))
	if _, err := io.ReadFull(far, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	s, err := n.Link("a", "b")
	must(t, err)
	if s.Cut || s.Delay != 0 {
		t.Errorf("after mending: %+v", s)
	}
}

func TestLinksThatCannotBe(t *testing.T) {
	n := two(t)
	for what, err := range map[string]error{
		"an unknown sender":   n.Cut("c", "a"),
		"an unknown receiver": n.Cut("a", "c"),
		"itself":              n.Cut("a", "a"),
		"no delay":            n.Delay("a", "b", 0),
		"too long a delay":    n.Delay("a", "b", MaxDelay+1),
		"from the machine":    n.Delay(Machine, "b", time.Second),
		"mending nothing":     n.Mend("a", "c"),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if again, err := n.AddHost("a"); err != nil || again != addr(t, n, "a") {
		t.Errorf("adding a host that is there: %s, %v", again, err)
	}
}

// BenchmarkRoundTrip shows what the detour through a TUN device adds to the delay.
func BenchmarkRoundTrip(b *testing.B) {
	n := two(b)
	near, far := connect(b, n, "a", "b")
	for _, d := range []time.Duration{0, time.Millisecond, 10 * time.Millisecond} {
		b.Run("delay="+d.String(), func(b *testing.B) {
			if d > 0 {
				must(b, n.Delay("a", "b", d))
			}
			for b.Loop() {
				roundTrip(b, near, far, 1)
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)-float64(d), "ns-beyond/op")
		})
	}
}

// BenchmarkThroughput shows what the detour costs a connection that sends all it can.
func BenchmarkThroughput(b *testing.B) {
	n := two(b)
	near, far := connect(b, n, "a", "b")
	go func() { _, _ = io.Copy(io.Discard, far) }()
	for _, d := range []time.Duration{0, time.Millisecond} {
		b.Run("delay="+d.String(), func(b *testing.B) {
			if d > 0 {
				must(b, n.Delay("a", "b", d))
			}
			chunk := make([]byte, 1<<16)
			b.SetBytes(int64(len(chunk)))
			for b.Loop() {
				if _, err := near.Write(chunk); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
