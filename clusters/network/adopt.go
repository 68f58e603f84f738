package network

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netns"
)

// Adopted makes a network of hosts that others have made, such as containers on
// a bridge of the slot's subnet: they join it, and their links can be cut, delayed
// and mended as those of New's. The machine's address in it is the slot's.
func Adopted(slot Slot) *Network {
	return &Network{slot: slot, hosts: map[string]*host{}, links: map[pair]*link{}}
}

// Join takes in the host of a process: the network namespace that it runs in. A
// host of that name is replaced if it was another namespace, as a container that
// was started again has; what was done to its links is no more.
func (n *Network) Join(name string, addr netip.Addr, pid int) error {
	fd, err := netns.GetFromPid(pid)
	if err != nil {
		return fmt.Errorf("the network of %s (process %d): %w", name, pid, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	h, had := n.hosts[name]
	if had && h.ns.fd.Equal(fd) && h.addr == addr {
		return fd.Close()
	}
	ns, err := openNamespace(fd)
	if err != nil {
		return errors.Join(err, fd.Close())
	}
	// A daemon may have meant a process of another machine, or of a namespace of its
	// own: the network to change is the one that has the host's address.
	if err := ns.holds(addr); err != nil {
		return errors.Join(fmt.Errorf("the network of %s (process %d): %w", name, pid, err), ns.Close())
	}
	if had {
		if err := n.drop(name, h); err != nil {
			return errors.Join(fmt.Errorf("the network that %s had before: %w", name, err), ns.Close())
		}
	}
	if err := ns.prepare(); err != nil {
		return errors.Join(fmt.Errorf("host %s: %w", name, err), ns.Close())
	}
	n.hosts[name] = &host{addr: addr, ns: ns}
	return nil
}

// drop lets go of a host and its links; it needs n.mu.
func (n *Network) drop(name string, h *host) error {
	var errs []error
	if h.tun != nil {
		errs = append(errs, h.tun.Close())
	}
	for p, l := range n.links {
		if p.from != name && p.to != name {
			continue
		}
		// The other end forgets the detour that led here.
		if other, ok := n.hosts[p.from]; ok && p.from != name && l.delay > 0 {
			errs = append(errs, other.ns.routes.RouteDel(throughTUN(other, h.addr)))
		}
		// And what it dropped from here it lets through again.
		if receiver, ok := n.hosts[p.to]; ok && p.from == name && l.cut {
			_, err := receiver.cuts.remove(h.addr)
			errs = append(errs, err)
		}
		delete(n.links, p)
	}
	delete(n.hosts, name)
	return errors.Join(append(errs, h.ns.Close())...)
}
