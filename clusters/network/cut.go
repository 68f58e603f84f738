package network

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
)

// cuts is a host's table of sources whose packets it drops. The packets are
// dropped where they come in, whichever interface brings them and whatever
// connection they belong to, and nobody is told: no reset, no ICMP.
type cuts struct {
	conn  *nftables.Conn
	table *nftables.Table
	chain *nftables.Chain
}

// The place of the source address in an IPv4 header, in bytes.
const (
	sourceOffset = 12
	sourceLength = 4
)

// newCuts makes the table in a namespace, empty.
func newCuts(ns *namespace) (*cuts, error) {
	conn, err := nftables.New(nftables.WithNetNSFd(int(ns.fd)))
	if err != nil {
		return nil, fmt.Errorf("opening nftables: %w", err)
	}
	c := &cuts{conn: conn}
	c.table = conn.AddTable(&nftables.Table{Family: nftables.TableFamilyIPv4, Name: "storm"})
	c.chain = conn.AddChain(&nftables.Chain{
		Name: "cut", Table: c.table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter,
	})
	if err := conn.Flush(); err != nil {
		return nil, fmt.Errorf("making an nftables chain: %w", err)
	}
	return c, nil
}

// add drops what comes from an address, and counts it.
func (c *cuts) add(source netip.Addr) error {
	c.conn.AddRule(&nftables.Rule{
		Table: c.table, Chain: c.chain, UserData: source.AsSlice(),
		Exprs: []expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: sourceOffset, Len: sourceLength},
			&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: source.AsSlice()},
			&expr.Counter{},
			&expr.Verdict{Kind: expr.VerdictDrop},
		},
	})
	if err := c.conn.Flush(); err != nil {
		return fmt.Errorf("dropping packets from %s: %w", source, err)
	}
	return nil
}

// remove lets an address through again and returns how many packets from it
// were dropped.
func (c *cuts) remove(source netip.Addr) (uint64, error) {
	rule, dropped, err := c.find(source)
	if err != nil {
		return 0, err
	}
	if err := c.conn.DelRule(rule); err != nil {
		return 0, err
	}
	if err := c.conn.Flush(); err != nil {
		return 0, fmt.Errorf("letting packets from %s through: %w", source, err)
	}
	return dropped, nil
}

// find returns the rule of an address and what it has dropped so far.
func (c *cuts) find(source netip.Addr) (*nftables.Rule, uint64, error) {
	rules, err := c.conn.GetRules(c.table, c.chain)
	if err != nil {
		return nil, 0, fmt.Errorf("reading nftables rules: %w", err)
	}
	for _, rule := range rules {
		if got, ok := netip.AddrFromSlice(rule.UserData); !ok || got != source {
			continue
		}
		for _, e := range rule.Exprs {
			if counter, ok := e.(*expr.Counter); ok {
				return rule, counter.Packets, nil
			}
		}
	}
	return nil, 0, errors.New("the rule that drops packets from " + source.String() + " is gone")
}
