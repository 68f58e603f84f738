package network

import (
	"errors"
	"fmt"
)

// Probe tries whether this process can make hosts, cut their links and delay
// them. It does so for real, in namespaces that it throws away, without
// touching the machine's own network. If not, why says what is missing.
func Probe() (ok bool, why string) {
	if err := probe(); err != nil {
		return false, err.Error()
	}
	return true, ""
}

func probe() (err error) {
	ns, err := newNamespace()
	if err != nil {
		return fmt.Errorf("%w (it takes root, or the capabilities CAP_SYS_ADMIN and CAP_NET_ADMIN)", err)
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	// The pretended machine is a namespace as well.
	machine, err := newNamespace()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()

	slot := Slot{}
	n := &Network{slot: slot, hub: ns}
	if err := n.makeBridge(); err != nil {
		return err
	}
	if err := n.plug("machine", machine, slot.Interface(), "probe", slot.MachineAddr()); err != nil {
		return err
	}
	cuts, err := newCuts(machine)
	if err != nil {
		return err
	}
	if err := cuts.add(slot.HostAddr(0)); err != nil {
		return err
	}
	if _, err := cuts.remove(slot.HostAddr(0)); err != nil {
		return err
	}
	device, err := newTUN(machine)
	if err != nil {
		return err
	}
	return device.Close()
}
