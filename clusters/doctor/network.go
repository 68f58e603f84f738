package doctor

import (
	"context"
	"errors"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

func lookTUN(context.Context, Options) (bool, string) {
	return lookDevice("/dev/net/tun")(context.Background(), Options{})
}

// lookQdisc asks the kernel for a queueing discipline, in a network namespace
// that exists only for the question.
func lookQdisc(kind string) func(context.Context, Options) (bool, string) {
	return func(context.Context, Options) (bool, string) {
		answer := make(chan error, 1)
		// The goroutine ends without unlocking its thread, so the thread, and
		// with it the namespace, ends too.
		go func() {
			runtime.LockOSThread()
			answer <- tryQdisc(kind)
		}()
		if err := <-answer; err != nil {
			return false, err.Error()
		}
		return true, "the kernel has it"
	}
}

func tryQdisc(kind string) error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return errors.New("cannot tell without root")
	}
	ns, err := netns.Get()
	if err != nil {
		return err
	}
	defer func() { _ = ns.Close() }() // only a descriptor
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return err
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return err
	}
	attrs := netlink.QdiscAttrs{LinkIndex: lo.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT}
	var q netlink.Qdisc
	switch kind {
	case "htb":
		q = netlink.NewHtb(attrs)
	case "tbf":
		q = &netlink.Tbf{QdiscAttrs: attrs, Rate: 1 << 20, Limit: 1 << 16, Buffer: 1 << 16}
	case "netem":
		q = netlink.NewNetem(attrs, netlink.NetemQdiscAttrs{Latency: 1000})
	case "prio":
		q = netlink.NewPrio(attrs)
	}
	if err := h.QdiscAdd(q); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return errors.New("this kernel does not have it")
		}
		return err
	}
	return nil
}
