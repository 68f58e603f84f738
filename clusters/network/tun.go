package network

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	tunName = "held"
	// tunQueue is how many packets the kernel keeps until they are read.
	tunQueue = 10000
	// headerLength is the least length of an IPv4 packet, and destination
	// where its destination address stands.
	headerLength = 20
	destination  = 16
)

// tun is a host's device whose wire is this process: the packets that the
// host routes into it are read here, put on the line of their destination,
// and written, when their time has come, into the device of the receiver.
type tun struct {
	file  *os.File
	index int // of the interface, for routes

	mu    sync.RWMutex
	lines map[netip.Addr]*line // by destination
}

// newTUN makes the device in a namespace and begins to read it.
func newTUN(ns *namespace) (*tun, error) {
	t := &tun{lines: map[netip.Addr]*line{}}
	if err := ns.do(t.open); err != nil {
		return nil, fmt.Errorf("making a TUN device: %w", err)
	}
	if err := t.setUp(ns); err != nil {
		return nil, errors.Join(fmt.Errorf("making a TUN device: %w", err), t.file.Close())
	}
	go t.read()
	return t, nil
}

// open makes the device in the namespace of the calling thread. It ends with
// the open file.
func (t *tun) open() error {
	const path = "/dev/net/tun"
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path, Err: err}
	}
	request, err := unix.NewIfreq(tunName)
	if err != nil {
		return errors.Join(err, unix.Close(fd))
	}
	request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
		return errors.Join(os.NewSyscallError("TUNSETIFF", err), unix.Close(fd))
	}
	// Only now: Go's poller refuses a descriptor without a device.
	t.file = os.NewFile(uintptr(fd), path)
	return nil
}

func (t *tun) setUp(ns *namespace) error {
	device, err := ns.routes.LinkByName(tunName)
	if err != nil {
		return err
	}
	t.index = device.Attrs().Index
	return errors.Join(
		ns.routes.LinkSetTxQLen(device, tunQueue),
		ns.routes.LinkSetMTU(device, mtu),
		ns.routes.LinkSetUp(device),
	)
}

// read takes packets off the device until it is closed.
func (t *tun) read() {
	buffer := make([]byte, 1<<16)
	for {
		n, err := t.file.Read(buffer)
		if err != nil {
			return
		}
		if to, ok := destinationOf(buffer[:n]); ok {
			if line := t.line(to); line != nil {
				line.put(buffer[:n])
			}
		}
	}
}

func (t *tun) line(to netip.Addr) *line {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.lines[to]
}

// destinationOf returns the destination of an IPv4 packet; the few others are
// the kernel's own IPv6 housekeeping.
func destinationOf(packet []byte) (netip.Addr, bool) {
	if len(packet) < headerLength || packet[0]>>4 != 4 {
		return netip.Addr{}, false
	}
	return netip.AddrFromSlice(packet[destination : destination+4])
}

// Close removes the device and ends its lines.
func (t *tun) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.lines {
		l.close()
	}
	return t.file.Close()
}
