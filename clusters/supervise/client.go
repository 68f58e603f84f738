package supervise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/storm-harness/storm/clusters/network"
)

// Client is a connection to a supervisor. Its methods are safe for concurrent
// use. An error of a call whose connection was lost says so, and Done is
// closed; the supervisor's log then tells more.
type Client struct {
	socket string
	info   Info
	caller *caller
	// started is set where this process started the supervisor. To hold on to
	// it holds the pipe that keeps the supervisor alive.
	started *started
}

// Dial connects to a supervisor that another process has started.
func Dial(ctx context.Context, socket string) (*Client, error) {
	return dial(ctx, socket, nil)
}

func dial(ctx context.Context, socket string, s *started) (*Client, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("the supervisor does not answer: %w", err)
	}
	// Its name is secret to no one: who got there first must be who it says.
	if err := checkPeer(conn.(*net.UnixConn)); err != nil {
		return nil, errors.Join(fmt.Errorf("the supervisor's socket is another's: %w", err), conn.Close())
	}
	c := &Client{socket: socket, caller: newCaller(conn), started: s}
	if err := c.caller.call(ctx, callInfo, none{}, &c.info); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return c, nil
}

// Socket is what another process passes to Dial.
func (c *Client) Socket() string { return c.socket }

// PID is the supervisor's process.
func (c *Client) PID() int { return c.info.PID }

// RunID is the run that the supervisor belongs to.
func (c *Client) RunID() string { return c.info.RunID }

// Slot is the cluster's own share of the machine's addresses, held until the
// supervisor ends.
func (c *Client) Slot() network.Slot { return c.info.Slot }

// Done is closed when the connection has ended, which the supervisor's death
// does at once.
func (c *Client) Done() <-chan struct{} { return c.caller.lost }

// Close ends the connection. The supervisor that this process started ends
// too, and all of its processes, unless it persists; Close does not wait.
func (c *Client) Close() error {
	err := notClosed(c.caller.conn.Close())
	if c.started != nil {
		err = errors.Join(err, notClosed(c.started.lifeline.Close()))
	}
	return err
}

// notClosed is err, unless it only says that something was closed before.
func notClosed(err error) error {
	if errors.Is(err, os.ErrClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Network makes a host of each of those names, unless there is one, and
// returns their addresses. The machine reaches them and they reach it.
func (c *Client) Network(ctx context.Context, hosts []string) (map[string]netip.Addr, error) {
	var addrs map[string]netip.Addr
	err := c.caller.call(ctx, callNetwork, hosts, &addrs)
	return addrs, err
}

// Join makes the network namespace of a process, such as a container's, a host
// of that name and address. A supervisor has hosts of its own, or of others.
func (c *Client) Join(ctx context.Context, name string, addr netip.Addr, pid int) error {
	return c.caller.call(ctx, callJoin, joinArgs{Name: name, Addr: addr, PID: pid}, nil)
}

// Spawn starts a process. It returns when the program runs; whether it is any
// use by then is the caller's to find out.
func (c *Client) Spawn(ctx context.Context, p Process) (Status, error) {
	var s Status
	err := c.caller.call(ctx, callSpawn, p, &s)
	return s, err
}

// Signal sends a signal to a process that runs.
func (c *Client) Signal(ctx context.Context, name string, sig syscall.Signal) error {
	return c.caller.call(ctx, callSignal, signalArgs{Name: name, Signal: sig}, nil)
}

// Stop ends a process by SIGTERM, and after the grace period by SIGKILL; a
// grace of 0 kills at once. It returns when the process has ended. One that
// does not run is fine.
func (c *Client) Stop(ctx context.Context, name string, grace time.Duration) error {
	return c.caller.call(ctx, callStop, stopArgs{Name: name, Grace: grace}, nil)
}

// Status returns what is known of every process, by name.
func (c *Client) Status(ctx context.Context) (map[string]Status, error) {
	var s map[string]Status
	err := c.caller.call(ctx, callStatus, none{}, &s)
	return s, err
}

// Wait returns as soon as the process that now has the name has ended, or at
// once if it had. A process that is started under the name later is another one.
func (c *Client) Wait(ctx context.Context, name string) (Status, error) {
	var s Status
	err := c.caller.call(ctx, callWait, name, &s)
	return s, err
}

// Cut silently drops every packet from one host to another. The sender may be
// network.Machine.
func (c *Client) Cut(ctx context.Context, from, to string) error {
	return c.caller.call(ctx, callCut, linkArgs{From: from, To: to}, nil)
}

// Delay holds every packet from one host to another for d.
func (c *Client) Delay(ctx context.Context, from, to string, d time.Duration) error {
	return c.caller.call(ctx, callDelay, linkArgs{From: from, To: to, Delay: d}, nil)
}

// Mend undoes Cut and Delay in that direction.
func (c *Client) Mend(ctx context.Context, from, to string) error {
	return c.caller.call(ctx, callMend, linkArgs{From: from, To: to}, nil)
}

// Dropped returns how many packets were dropped since the last Cut.
func (c *Client) Dropped(ctx context.Context, from, to string) (uint64, error) {
	s, err := c.Link(ctx, from, to)
	return s.Dropped, err
}

// Link returns the state of one direction between two hosts.
func (c *Client) Link(ctx context.Context, from, to string) (network.LinkState, error) {
	var s network.LinkState
	err := c.caller.call(ctx, callLink, linkArgs{From: from, To: to}, &s)
	return s, err
}

// Persist lets the supervisor outlive the storm that started it, until a
// Shutdown or a signal.
func (c *Client) Persist(ctx context.Context) error {
	return c.caller.call(ctx, callPersist, none{}, nil)
}

// Shutdown kills all processes, takes the network down, removes the run's
// containers and the owned directories, and ends the supervisor. It returns when that is done. Should
// the supervisor have died before, the storm that started it does the rest.
func (c *Client) Shutdown(ctx context.Context) error {
	return c.end(ctx, callShutdown, func() error { return c.started.putBack(ctx, c.info) })
}

// Leave is Shutdown that leaves the run's containers and the owned directories, for
// people to look at. They stay in the ledger, for Cleanup.
func (c *Client) Leave(ctx context.Context) error {
	return c.end(ctx, callLeave, func() error { return nil })
}

// end ends the supervisor; rest is done where it had died before and was this
// process's.
func (c *Client) end(ctx context.Context, call string, rest func() error) error {
	err := c.caller.call(ctx, call, none{}, nil)
	if c.started == nil {
		select {
		case <-c.Done():
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
		return errors.Join(err, c.Close())
	}
	select {
	case <-c.started.ended:
	case <-ctx.Done():
		return errors.Join(err, context.Cause(ctx))
	}
	if errors.Is(err, errLost) {
		err = rest()
	}
	return errors.Join(err, c.Close())
}
