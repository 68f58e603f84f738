package network

import (
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestAddressesOfASlot(t *testing.T) {
	for n, want := range map[int][4]string{
		0:   {"127.64.0.1", "198.18.0.10", "198.18.0.1", "198.18.0.0/24"},
		255: {"127.64.255.1", "198.18.255.10", "198.18.255.1", "198.18.255.0/24"},
		256: {"127.65.0.1", "198.19.0.10", "198.19.0.1", "198.19.0.0/24"},
		511: {"127.65.255.1", "198.19.255.10", "198.19.255.1", "198.19.255.0/24"},
	} {
		s := Slot{N: n}
		if got := [4]string{s.LoopbackAddr(0).String(), s.HostAddr(0).String(), s.MachineAddr().String(), s.Subnet().String()}; got != want {
			t.Errorf("slot %d: %v, want %v", n, got, want)
		}
		if !netip.MustParsePrefix("198.18.0.0/15").Contains(s.HostAddr(199)) || !s.Subnet().Contains(s.HostAddr(199)) || !s.LoopbackAddr(199).IsLoopback() {
			t.Errorf("slot %d reaches beyond its own: %s, %s", n, s.HostAddr(199), s.LoopbackAddr(199))
		}
		if name := s.Interface(); len(name) > 15 {
			t.Errorf("interface name %s is longer than the kernel takes", name)
		}
	}
}

// alone runs f in a namespace of its own, which has its own addresses, ports
// and abstract sockets: nobody else's tests are disturbed, nor disturb.
func alone(t *testing.T, f func()) {
	t.Helper()
	ns, err := newNamespace()
	if err != nil {
		t.Skip("no network namespaces here: ", err)
	}
	must(t, ns.do(func() error { f(); return nil }))
	must(t, ns.Close())
}

func claim(t *testing.T) *Claim {
	t.Helper()
	c, err := ClaimSlot()
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	t.Cleanup(func() { _ = c.Release() })
	return c
}

func TestSlotsAreHeldUntilReleased(t *testing.T) {
	alone(t, func() {
		a, b := claim(t), claim(t)
		if a.N != 0 || b.N != 1 {
			t.Errorf("the first slots are %d and %d", a.N, b.N)
		}
		if err := a.Release(); err != nil {
			t.Error(err)
		}
		if c, d := claim(t), claim(t); c.N != 0 || d.N != 2 {
			t.Errorf("after slot 0 was given back: %d and %d", c.N, d.N)
		}
	})
}

// Something that listens on all addresses, as a cluster of the machine's own
// would, is in the way in every slot; then the ports move.
func TestPortsMoveOutOfTheWay(t *testing.T) {
	alone(t, func() {
		if c := claim(t); c.Offset != 0 || c.Port(2379) != 2379 {
			t.Errorf("with nobody in the way, the ports move by %d", c.Offset)
		}
		var all []net.Listener
		defer func() {
			for _, l := range all {
				_ = l.Close()
			}
		}()
		for i, offset := range offsets {
			l, err := net.Listen("tcp4", ":"+strconv.Itoa(10259+offset))
			if err != nil {
				t.Error(err)
				return
			}
			all = append(all, l)
			if i == len(offsets)-1 {
				break
			}
			c := claim(t)
			if c.Offset != offsets[i+1] || c.Port(2379) != 2379+offsets[i+1] {
				t.Errorf("with %d in the way, the ports move by %d, want %d", 10259+offset, c.Offset, offsets[i+1])
			}
		}
		_, err := ClaimSlot()
		if err == nil || !strings.Contains(err.Error(), "10259, 30259") {
			t.Errorf("with every offset in the way: %v", err)
		}
	})
}

func TestKnownNetworksArePassedOver(t *testing.T) {
	taken := []netip.Prefix{netip.MustParsePrefix("198.18.0.0/16"), netip.MustParsePrefix("198.19.1.2/32")}
	for n, want := range map[int]bool{0: true, 255: true, 256: false, 257: true, 258: false} {
		if got := overlaps(taken, Slot{N: n}.Subnet()); got != want {
			t.Errorf("slot %d is passed over: %v, want %v", n, got, want)
		}
	}
	known, err := takenNetworks()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(known, func(p netip.Prefix) bool { return p.Contains(netip.MustParseAddr("127.0.0.1")) }) {
		t.Errorf("the machine's own networks lack loopback: %v", known)
	}
	if slices.ContainsFunc(known, func(p netip.Prefix) bool { return p.Bits() == 0 }) {
		t.Errorf("the default route counts as a network: %v", known)
	}
}

// A network that is up is itself one that others pass over, even without its claim.
func TestNetworksOfTheDeadArePassedOver(t *testing.T) {
	n := two(t)
	known, err := takenNetworks()
	if err != nil {
		t.Fatal(err)
	}
	if !overlaps(known, n.slot.Subnet()) {
		t.Errorf("%s is not among the known networks %v", n.slot.Subnet(), known)
	}
}
