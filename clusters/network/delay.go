package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// MaxDelay is the longest delay of a link: connections time out long before.
const MaxDelay = time.Minute

// Delay holds every packet from one host to another for d from now on, on top
// of what the way takes by itself; connections that are open are no exception.
// Called again it changes the delay. Packets keep their order.
//
// A route in the sender leads the receiver's address into a TUN device, and
// the packets come out of the receiver's TUN device when their time has come.
// The kernel has netem for the same purpose, but not every kernel has netem,
// and figures should compare.
func (n *Network) Delay(from, to string, d time.Duration) error {
	if d <= 0 || d > MaxDelay {
		return fmt.Errorf("delaying %s by %s: want more than 0 and at most %s", pair{from, to}, d, MaxDelay)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if from == Machine {
		return fmt.Errorf("delaying %s: only links between hosts can be delayed", pair{from, to})
	}
	if _, _, err := n.ends(from, to); err != nil {
		return err
	}
	if err := n.delay(pair{from, to}, n.link(from, to), d); err != nil {
		return fmt.Errorf("delaying %s: %w", pair{from, to}, err)
	}
	return nil
}

// delay needs n.mu.
func (n *Network) delay(p pair, l *link, d time.Duration) error {
	sender, receiver := n.hosts[p.from], n.hosts[p.to]
	if l.line == nil {
		if err := errors.Join(sender.needTUN(), receiver.needTUN()); err != nil {
			return err
		}
		l.line = newLine(receiver.tun.file)
		sender.tun.mu.Lock()
		sender.tun.lines[receiver.addr] = l.line
		sender.tun.mu.Unlock()
	}
	l.line.hold(d)
	if err := sender.ns.routes.RouteReplace(throughTUN(sender, receiver.addr)); err != nil {
		l.line.hold(l.delay)
		return fmt.Errorf("routing into the TUN device: %w", err)
	}
	l.delay = d
	return nil
}

// undelay lets go of what is held, then takes the detour away; it needs n.mu.
func (n *Network) undelay(p pair, l *link) error {
	if l.delay == 0 {
		return nil
	}
	sender, receiver := n.hosts[p.from], n.hosts[p.to]
	l.line.hold(0)
	err := sender.ns.routes.RouteDel(throughTUN(sender, receiver.addr))
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("removing the route into the TUN device: %w", err)
	}
	l.delay = 0
	return nil
}

// needTUN makes the host's TUN device unless it is there.
func (h *host) needTUN() (err error) {
	if h.tun == nil {
		h.tun, err = newTUN(h.ns)
	}
	return err
}

// throughTUN is the route of one address into the host's TUN device. The
// device has no address, so the route names the one to send from.
func throughTUN(h *host, to netip.Addr) *netlink.Route {
	return &netlink.Route{
		LinkIndex: h.tun.index,
		Scope:     netlink.SCOPE_LINK,
		Dst:       &net.IPNet{IP: to.AsSlice(), Mask: net.CIDRMask(32, 32)},
		Src:       h.addr.AsSlice(),
	}
}
