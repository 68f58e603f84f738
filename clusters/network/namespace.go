// Package network makes hosts: each a network namespace of its own, joined by
// a bridge, in which packets between any two can be dropped silently or held
// back, one direction at a time. It also deals out addresses to clusters, so
// that two on one machine do not clash.
//
// The namespaces have no name and no file. They live while this process holds
// them open, or a process runs in them, and the kernel removes all that is in
// them afterwards: nothing can be left behind.
package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namespace is a network namespace that is held open.
type namespace struct {
	fd     netns.NsHandle
	routes *netlink.Handle // links, addresses and routes in it
}

// newNamespace makes one. Its loopback is up, and it takes packets on whatever
// interface they come in, as delayed ones come in by another.
func newNamespace() (*namespace, error) {
	fd, err := makeNamespace()
	if err != nil {
		return nil, err
	}
	ns, err := openNamespace(fd)
	if err != nil {
		return nil, errors.Join(err, fd.Close())
	}
	if err := ns.prepare(); err != nil {
		return nil, errors.Join(err, ns.Close())
	}
	return ns, nil
}

// ownNamespace opens the namespace that this process runs in.
func ownNamespace() (*namespace, error) {
	fd, err := netns.Get()
	if err != nil {
		return nil, fmt.Errorf("opening the machine's own network namespace: %w", err)
	}
	ns, err := openNamespace(fd)
	if err != nil {
		return nil, errors.Join(err, fd.Close())
	}
	return ns, nil
}

func openNamespace(fd netns.NsHandle) (*namespace, error) {
	routes, err := netlink.NewHandleAt(fd, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening netlink in a network namespace: %w", err)
	}
	return &namespace{fd: fd, routes: routes}, nil
}

func makeNamespace() (fd netns.NsHandle, err error) {
	err = onThread(func() error {
		fd, err = netns.New()
		if err != nil {
			return fmt.Errorf("making a network namespace: %w", err)
		}
		return nil
	})
	return fd, err
}

// holds returns an error where no interface of the namespace has the address.
func (ns *namespace) holds(addr netip.Addr) error {
	addrs, err := ns.routes.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("addresses of a network namespace: %w", err)
	}
	for _, a := range addrs {
		if ip, ok := netip.AddrFromSlice(a.IP); ok && ip.Unmap() == addr.Unmap() {
			return nil
		}
	}
	return fmt.Errorf("no interface has its address %s", addr)
}

func (ns *namespace) prepare() error {
	lo, err := ns.routes.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("loopback of a network namespace: %w", err)
	}
	if err := ns.routes.LinkSetUp(lo); err != nil {
		return fmt.Errorf("loopback of a network namespace: %w", err)
	}
	return ns.do(func() error {
		for _, name := range []string{"all", "default"} {
			if err := setSysctl("/proc/sys/net/ipv4/conf/"+name+"/rp_filter", "0"); err != nil {
				return err
			}
		}
		return nil
	})
}

// do runs f on a thread inside the namespace. What f starts (a process, a
// socket, a TUN device) belongs to the namespace; a goroutine it starts does not.
func (ns *namespace) do(f func() error) error {
	return onThread(func() error {
		if err := netns.Set(ns.fd); err != nil {
			return fmt.Errorf("entering a network namespace: %w", err)
		}
		return f()
	})
}

// Close lets go of the namespace; it ends when nothing runs in it any more.
func (ns *namespace) Close() error {
	ns.routes.Close()
	return ns.fd.Close()
}

// onThread runs f on an operating system thread of its own, which ends with
// it: a thread that has changed its namespace is never given back.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		defer close(done)      // also where f ends its goroutine, as a failing test does
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		done <- f()
	}()
	return <-done
}

// setSysctl sets a kernel setting, and is content if it is so already: where
// /proc/sys is read-only, as in many containers, the default often serves.
func setSysctl(path, value string) error {
	if b, err := os.ReadFile(path); err == nil && string(b) == value+"\n" {
		return nil
	}
	if err := os.WriteFile(path, []byte(value), 0); err != nil {
		return fmt.Errorf("setting a network namespace up: %w", err)
	}
	return nil
}
