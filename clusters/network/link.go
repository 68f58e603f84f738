package network

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// LinkState is one direction between two hosts as it is now.
type LinkState struct {
	Cut bool
	// Dropped is how many packets were dropped since the last cut.
	Dropped uint64
	// Delay is how long each packet is held; 0 where none is.
	Delay time.Duration
	// Held is how many packets are held now; Delayed, how many were held and
	// passed on since the last time that a delay began; Overflowed, how many
	// were lost for want of room.
	Held, Delayed, Overflowed uint64
}

// link is what was done to one direction between two hosts.
type link struct {
	cut     bool
	dropped uint64 // counted by the last cut, once that is over
	line    *line  // what holds its packets; nil until a delay
	delay   time.Duration
}

// Cut drops every packet from one host to another, silently, from now on. The
// sender may be the machine itself. To cut what is cut changes nothing.
func (n *Network) Cut(from, to string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	source, receiver, err := n.ends(from, to)
	if err != nil {
		return err
	}
	l := n.link(from, to)
	if l.cut {
		return nil
	}
	if receiver.cuts == nil {
		if receiver.cuts, err = newCuts(receiver.ns); err != nil {
			return err
		}
	}
	if err := receiver.cuts.add(source); err != nil {
		return fmt.Errorf("cutting %s: %w", pair{from, to}, err)
	}
	l.cut, l.dropped = true, 0
	return nil
}

// Mend undoes Cut and Delay in one direction. To mend what is whole changes nothing.
func (n *Network) Mend(from, to string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	source, receiver, err := n.ends(from, to)
	if err != nil {
		return err
	}
	l := n.link(from, to)
	err = n.undelay(pair{from, to}, l)
	if l.cut {
		dropped, e := receiver.cuts.remove(source)
		if e == nil {
			l.cut, l.dropped = false, dropped
		}
		err = errors.Join(err, e)
	}
	if err != nil {
		return fmt.Errorf("mending %s: %w", pair{from, to}, err)
	}
	return nil
}

// Link returns the state of one direction.
func (n *Network) Link(from, to string) (LinkState, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	source, receiver, err := n.ends(from, to)
	if err != nil {
		return LinkState{}, err
	}
	l := n.link(from, to)
	s := LinkState{Cut: l.cut, Dropped: l.dropped, Delay: l.delay}
	if l.line != nil {
		s.Held, s.Delayed, s.Overflowed = l.line.counts()
	}
	if l.cut {
		if _, s.Dropped, err = receiver.cuts.find(source); err != nil {
			return LinkState{}, fmt.Errorf("%s: %w", pair{from, to}, err)
		}
	}
	return s, nil
}

// ends returns a direction's source address and receiver; it needs n.mu.
func (n *Network) ends(from, to string) (netip.Addr, *host, error) {
	receiver, err := n.lookup(to)
	if err != nil {
		return netip.Addr{}, nil, err
	}
	if from == Machine {
		return n.slot.MachineAddr(), receiver, nil
	}
	sender, err := n.lookup(from)
	if err != nil {
		return netip.Addr{}, nil, err
	}
	if sender == receiver {
		return netip.Addr{}, nil, fmt.Errorf("host %s has no link to itself", from)
	}
	return sender.addr, receiver, nil
}

// link needs n.mu.
func (n *Network) link(from, to string) *link {
	p := pair{from, to}
	if n.links[p] == nil {
		n.links[p] = &link{}
	}
	return n.links[p]
}
