package supervise

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/storm-harness/storm/clusters/network"
	"github.com/storm-harness/storm/internal/ledger"
)

// supervisor is what the process keeps.
type supervisor struct {
	ledger    *ledger.Ledger
	record    string // its own name in the ledger
	slot      network.Slot
	owned     []string
	processes *processes

	persists atomic.Bool
	leaves   atomic.Bool   // containers and directories stay, in the ledger
	orphaned atomic.Bool   // the storm that started it has ended
	end      chan string   // takes the first reason to end
	gone     chan struct{} // closed when everything is torn down
	result   error         // of the tearing down; after gone

	mu       sync.Mutex
	tornDown bool
	network  *network.Network // nil until it is asked for
}

// ask asks for the end; only the first reason counts.
func (s *supervisor) ask(why string) {
	select {
	case s.end <- why:
	default:
	}
}

// hosts makes the hosts of those names, and their network first.
func (s *supervisor) hosts(names []string) (map[string]netip.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tornDown {
		return nil, errors.New("the supervisor is shutting down")
	}
	if s.network == nil {
		device := s.slot.Interface()
		if err := s.ledger.Intend(ledger.Interface, device); err != nil {
			return nil, err
		}
		n, err := network.New(s.slot, s.ledger.RunID())
		if err != nil {
			return nil, errors.Join(err, s.ledger.Undo(ledger.Interface, device))
		}
		s.network = n
	}
	addrs := map[string]netip.Addr{}
	for _, name := range names {
		addr, err := s.network.AddHost(name)
		if err != nil {
			return nil, err
		}
		addrs[name] = addr
	}
	return addrs, nil
}

// join takes a host in that another has made.
func (s *supervisor) join(a joinArgs) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tornDown {
		return errors.New("the supervisor is shutting down")
	}
	if s.network == nil {
		s.network = network.Adopted(s.slot)
	}
	return s.network.Join(a.Name, a.Addr, a.PID)
}

// net returns the network, nil where none was asked for.
func (s *supervisor) net() *network.Network {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.network
}

// linked returns the network for what is done to its links.
func (s *supervisor) linked() (*network.Network, error) {
	if n := s.net(); n != nil {
		return n, nil
	}
	return nil, errors.New("the cluster has no network of its own: its processes share the machine's loopback")
}

// containersPatience bounds how long the removal of containers may take.
const containersPatience = 2 * time.Minute

// tearDown ends all processes, takes the network down, removes the run's
// containers and the owned directories, and closes the books.
func (s *supervisor) tearDown() error {
	defer close(s.gone)
	s.mu.Lock()
	s.tornDown = true
	n := s.network
	s.mu.Unlock()

	errs := []error{s.processes.close()}
	if n != nil {
		if err := n.Close(); err != nil {
			errs = append(errs, fmt.Errorf("taking the network down: %w", err))
		} else {
			errs = append(errs, s.ledger.Undo(ledger.Interface, s.slot.Interface()))
		}
	}
	if !s.leaves.Load() {
		errs = append(errs, s.removeAll())
	}
	errs = append(errs, s.ledger.Undo(ledger.Process, s.record))
	if s.orphaned.Load() {
		errs = append(errs, s.ledger.Finish()) // there is nobody else to do it
	}
	s.result = errors.Join(errs...)
	return s.result
}

// info is what the supervisor says of itself.
func (s *supervisor) info() Info {
	return Info{RunID: s.ledger.RunID(), PID: os.Getpid(), Slot: s.slot}
}

// removeAll removes the run's containers and the owned directories.
func (s *supervisor) removeAll() error {
	ctx, cancel := context.WithTimeout(context.Background(), containersPatience)
	defer cancel()
	// They write into the directories.
	_, err := s.ledger.PutBack(ctx, func(e ledger.Entry) bool { return e.Kind == ledger.Containers })
	errs := []error{err}
	for _, dir := range s.owned {
		errs = append(errs, s.ledger.RemoveDir(dir))
	}
	return errors.Join(errs...)
}
