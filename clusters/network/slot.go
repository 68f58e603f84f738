package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Slots is how many clusters can have addresses on one machine at a time.
const Slots = 512

// MaxHosts is how many hosts a slot has addresses for.
const MaxHosts = 200

// Slot is one cluster's share of the machine's addresses:
//
//	127.(64+N/256).(N%256).0/24 on loopback, for processes of the machine's own network
//	198.(18+N/256).(N%256).0/24 for hosts in network namespaces
//
// The second comes from 198.18.0.0/15, which RFC 2544 sets aside for tests.
type Slot struct {
	N int
	// Offset is added to every port that a process of the machine's own
	// network listens on: 0, unless something listens there on all addresses.
	Offset int
}

// LoopbackAddr is the slot's i-th loopback address, from 0 to 199.
func (s Slot) LoopbackAddr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(64 + s.N/256), byte(s.N), byte(1 + i)})
}

// HostAddr is the address of the slot's i-th host, from 0 to 199.
func (s Slot) HostAddr(i int) netip.Addr {
	return s.subnetAddr(10 + i)
}

// MachineAddr is the machine's own address in the subnet of the hosts.
func (s Slot) MachineAddr() netip.Addr { return s.subnetAddr(1) }

// Subnet is what the hosts and the machine have their addresses from.
func (s Slot) Subnet() netip.Prefix { return netip.PrefixFrom(s.subnetAddr(0), 24) }

// Port is the port that takes the place of a component's usual one on the
// slot's loopback addresses. Hosts have all ports to themselves and need none.
func (s Slot) Port(usual int) int { return usual + s.Offset }

// Interface is the name of the machine's own interface in the hosts' subnet.
func (s Slot) Interface() string { return "storm" + strconv.Itoa(s.N) }

func (s Slot) subnetAddr(last int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, byte(18 + s.N/256), byte(s.N), byte(last)})
}

// Claim is a slot that is held.
type Claim struct {
	Slot
	hold net.Listener
}

// Release gives the slot back. The end of the process does so as well.
func (c *Claim) Release() error { return c.hold.Close() }

// ports are those that the components of a cluster usually listen on, and
// offsets where else they may go.
var (
	ports   = []int{2379, 2380, 6443, 10257, 10259}
	offsets = []int{0, 20000, 22000, 24000}
)

// ClaimSlot claims the first free slot for as long as the process lives. It
// is held by a listener in the kernel's abstract socket namespace: nothing of
// it is on disk, it is free at the holder's death, and every user of the
// machine sees it. A slot whose addresses lie in a network that the machine
// knows already is passed over.
func ClaimSlot() (*Claim, error) {
	taken, err := takenNetworks()
	if err != nil {
		return nil, fmt.Errorf("looking for free addresses: %w", err)
	}
	var busy []string
	for n := range Slots {
		slot := Slot{N: n}
		if overlaps(taken, slot.Subnet()) {
			continue
		}
		hold, err := net.Listen("unix", fmt.Sprintf("@storm-slot-%d", n))
		if errors.Is(err, unix.EADDRINUSE) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("claiming the addresses of slot %d: %w", n, err)
		}
		if slot.Offset, busy = freeOffset(slot.LoopbackAddr(0)); busy == nil {
			return &Claim{Slot: slot, hold: hold}, nil
		}
		if err := hold.Close(); err != nil {
			return nil, err
		}
	}
	if busy != nil {
		return nil, fmt.Errorf("no free ports for a cluster: other processes listen on %s on all addresses", strings.Join(busy, ", "))
	}
	return nil, fmt.Errorf("all %d slots of addresses are taken: run `storm cluster list`, and `storm cleanup` for what was left behind; nothing else of this machine, such as a Docker network (`docker network prune`), may have addresses of 198.18.0.0/15", Slots)
}

// freeOffset returns the first offset at which all ports can be listened on,
// or the ports in the way, one of each offset.
func freeOffset(addr netip.Addr) (offset int, busy []string) {
	for _, offset := range offsets {
		port, err := listenable(addr, offset)
		if err == nil {
			return offset, nil
		}
		busy = append(busy, strconv.Itoa(port))
	}
	return 0, busy
}

// listenable tries to listen on every port at an offset.
func listenable(addr netip.Addr, offset int) (port int, err error) {
	for _, p := range ports {
		l, err := net.Listen("tcp4", netip.AddrPortFrom(addr, uint16(p+offset)).String())
		if err != nil {
			return p + offset, err
		}
		if err := l.Close(); err != nil {
			return p + offset, err
		}
	}
	return 0, nil
}

// takenNetworks returns the IPv4 networks that the machine has addresses in or
// routes to, the default route excepted.
func takenNetworks() ([]netip.Prefix, error) {
	var out []netip.Prefix
	add := func(n *net.IPNet) {
		if n == nil {
			return
		}
		addr, ok := netip.AddrFromSlice(n.IP.To4())
		if bits, _ := n.Mask.Size(); ok && bits > 0 {
			out = append(out, netip.PrefixFrom(addr, bits).Masked())
		}
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("listing addresses: %w", err)
	}
	for _, a := range addrs {
		add(a.IPNet)
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_V4)
	if err != nil {
		return nil, fmt.Errorf("listing routes: %w", err)
	}
	for _, r := range routes {
		add(r.Dst)
	}
	return out, nil
}

func overlaps(taken []netip.Prefix, p netip.Prefix) bool {
	for _, t := range taken {
		if t.Overlaps(p) {
			return true
		}
	}
	return false
}
