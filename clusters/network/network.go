package network

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Machine is the name of the machine itself among the hosts of a network.
const Machine = ""

const (
	bridgeName = "hub"
	mtu        = 1500
)

// Network is a bridge in a namespace of its own, with every host and the
// machine itself plugged into it. Its methods are safe for concurrent use.
type Network struct {
	slot    Slot
	machine *namespace
	hub     *namespace
	bridge  *netlink.Bridge

	mu    sync.Mutex
	hosts map[string]*host
	links map[pair]*link
}

// host is a machine of the network.
type host struct {
	addr netip.Addr
	ns   *namespace
	cuts *cuts // made by the first cut that needs it
	tun  *tun  // made by the first delay that needs it
}

// pair is one direction between two hosts.
type pair struct{ from, to string }

func (p pair) String() string { return naming(p.from) + " → " + naming(p.to) }

func naming(host string) string {
	if host == Machine {
		return "the machine"
	}
	return host
}

// New makes a network without hosts in the slot's subnet. The machine's own
// interface in it, Slot.Interface, carries the given alias, and goes with the
// network however that ends.
func New(slot Slot, alias string) (*Network, error) {
	n := &Network{slot: slot, hosts: map[string]*host{}, links: map[pair]*link{}}
	if err := n.build(alias); err != nil {
		return nil, errors.Join(fmt.Errorf("making the hosts' network: %w: run `storm doctor`", err), n.Close())
	}
	return n, nil
}

func (n *Network) build(alias string) (err error) {
	if n.machine, err = ownNamespace(); err != nil {
		return err
	}
	if n.hub, err = newNamespace(); err != nil {
		return err
	}
	if err := n.makeBridge(); err != nil {
		return err
	}
	return n.plug("machine", n.machine, n.slot.Interface(), alias, n.slot.MachineAddr())
}

func (n *Network) makeBridge() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU = bridgeName, mtu
	n.bridge = &netlink.Bridge{LinkAttrs: attrs}
	if err := n.hub.routes.LinkAdd(n.bridge); err != nil {
		return fmt.Errorf("making a bridge: %w", err)
	}
	if err := n.hub.routes.LinkSetUp(n.bridge); err != nil {
		return fmt.Errorf("making a bridge: %w", err)
	}
	return nil
}

// plug joins a namespace to the bridge by a pair of interfaces: port in the
// hub, name in the namespace.
func (n *Network) plug(port string, ns *namespace, name, alias string, addr netip.Addr) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.MTU, attrs.MasterIndex = port, mtu, n.bridge.Index
	veth := netlink.NewVeth(attrs)
	veth.PeerName, veth.PeerNamespace, veth.PeerMTU = name, netlink.NsFd(ns.fd), mtu
	if err := n.hub.routes.LinkAdd(veth); err != nil {
		return fmt.Errorf("making the interface %s: %w", name, err)
	}
	if err := n.hub.routes.LinkSetUp(veth); err != nil {
		return fmt.Errorf("interface %s: %w", port, err)
	}
	link, err := ns.routes.LinkByName(name)
	if err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	if alias != "" {
		if err := ns.routes.LinkSetAlias(link, alias); err != nil {
			return fmt.Errorf("interface %s: %w", name, err)
		}
	}
	cidr := &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(n.slot.Subnet().Bits(), 32)}
	if err := ns.routes.AddrAdd(link, &netlink.Addr{IPNet: cidr}); err != nil {
		return fmt.Errorf("address of interface %s: %w", name, err)
	}
	if err := ns.routes.LinkSetUp(link); err != nil {
		return fmt.Errorf("interface %s: %w", name, err)
	}
	// A packet sent earlier than this is lost, and if it is the question for
	// the other's hardware address, a second passes before the next.
	return errors.Join(awaitUp(n.hub, port), awaitUp(ns, name))
}

// awaitUp returns when an interface carries packets, which the kernel sees to
// in its own time after it has been set up.
func awaitUp(ns *namespace, name string) error {
	const patience = 10 * time.Second
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		link, err := ns.routes.LinkByName(name)
		if err != nil {
			return fmt.Errorf("interface %s: %w", name, err)
		}
		state := link.Attrs().OperState
		if state == netlink.OperUp {
			return nil
		}
		if time.Since(begin) > patience {
			return fmt.Errorf("interface %s does not come up: its state is %q after %s", name, state, patience)
		}
	}
}

// AddHost makes a host, or finds the one that is there, and returns its address.
func (n *Network) AddHost(name string) (netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if h, ok := n.hosts[name]; ok {
		return h.addr, nil
	}
	if name == Machine {
		return netip.Addr{}, errors.New("a host needs a name")
	}
	i := len(n.hosts)
	if i >= MaxHosts {
		return netip.Addr{}, fmt.Errorf("host %s: the network has all the %d hosts that it has addresses for", name, MaxHosts)
	}
	addr := n.slot.HostAddr(i)
	ns, err := newNamespace()
	if err != nil {
		return netip.Addr{}, fmt.Errorf("host %s: %w", name, err)
	}
	if err := n.plug(fmt.Sprintf("host%d", i), ns, "eth0", "", addr); err != nil {
		return netip.Addr{}, errors.Join(fmt.Errorf("host %s: %w", name, err), ns.Close())
	}
	if err := answers(addr); err != nil {
		return netip.Addr{}, errors.Join(fmt.Errorf("host %s: %w", name, err), ns.Close())
	}
	n.hosts[name] = &host{addr: addr, ns: ns}
	return addr, nil
}

// answers returns when a host that nothing runs on yet refuses a connection
// from the machine.
func answers(addr netip.Addr) error {
	const (
		discard = 9 // the port
		each    = 20 * time.Millisecond
		all     = 10 * time.Second
	)
	dialer := net.Dialer{Timeout: each}
	begin := time.Now()
	for {
		conn, err := dialer.Dial("tcp4", netip.AddrPortFrom(addr, discard).String())
		if err == nil {
			return errors.Join(fmt.Errorf("something answers at %s that storm has not started", addr), conn.Close())
		}
		if errors.Is(err, unix.ECONNREFUSED) {
			return nil
		}
		if time.Since(begin) > all {
			return fmt.Errorf("the machine cannot reach it: %w: does a firewall drop packets on interface storm*?", err)
		}
	}
}

// Enter moves the calling thread into a host. The caller has locked its
// goroutine to it, and calls Leave on it, or ends it.
func (n *Network) Enter(name string) error {
	h, err := n.host(name)
	if err != nil {
		return err
	}
	if err := netns.Set(h.ns.fd); err != nil {
		return fmt.Errorf("entering host %s: %w", name, err)
	}
	return nil
}

// Leave moves the calling thread back to the machine.
func (n *Network) Leave() error { return netns.Set(n.machine.fd) }

func (n *Network) host(name string) (*host, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lookup(name)
}

// lookup needs n.mu.
func (n *Network) lookup(name string) (*host, error) {
	h, ok := n.hosts[name]
	if !ok {
		return nil, fmt.Errorf("the network has no host %q", name)
	}
	return h, nil
}

// Close takes the network down. Processes that still run in a host keep its
// namespace, but nothing is connected to it any more.
func (n *Network) Close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	var errs []error
	for _, h := range n.hosts {
		if h.tun != nil {
			errs = append(errs, h.tun.Close())
		}
		errs = append(errs, h.ns.Close())
	}
	clear(n.hosts)
	clear(n.links)
	if n.hub != nil {
		errs = append(errs, n.unplugMachine(), n.hub.Close())
		n.hub = nil
	}
	if n.machine != nil {
		errs = append(errs, n.machine.Close())
		n.machine = nil
	}
	return errors.Join(errs...)
}

// unplugMachine removes the machine's interface at once; left to itself the
// kernel does so a while after the hub's namespace has ended.
func (n *Network) unplugMachine() error {
	link, err := n.hub.routes.LinkByName("machine")
	var none netlink.LinkNotFoundError
	if errors.As(err, &none) {
		return nil
	}
	if err != nil {
		return err
	}
	return n.hub.routes.LinkDel(link)
}
