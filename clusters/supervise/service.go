package supervise

import (
	"context"
	"net/netip"
	"syscall"
	"time"

	"github.com/storm-harness/storm/clusters/network"
)

// The names of the calls.
const (
	callInfo     = "info"
	callNetwork  = "network"
	callJoin     = "join"
	callSpawn    = "spawn"
	callSignal   = "signal"
	callStop     = "stop"
	callStatus   = "status"
	callWait     = "wait"
	callCut      = "cut"
	callDelay    = "delay"
	callMend     = "mend"
	callLink     = "link"
	callPersist  = "persist"
	callShutdown = "shutdown"
	callLeave    = "leave"
)

// none is an argument or a result without content.
type none struct{}

type signalArgs struct {
	Name   string         `json:"name"`
	Signal syscall.Signal `json:"signal"`
}

type stopArgs struct {
	Name  string        `json:"name"`
	Grace time.Duration `json:"grace"` // ns
}

type linkArgs struct {
	From  string        `json:"from"`
	To    string        `json:"to"`
	Delay time.Duration `json:"delay,omitempty"` // ns
}

type joinArgs struct {
	Name string     `json:"name"`
	Addr netip.Addr `json:"addr"`
	PID  int        `json:"pid"`
}

// calls is what a supervisor can be asked.
func (s *supervisor) calls() map[string]handler {
	return map[string]handler{
		callInfo:     handle(func(context.Context, none) (Info, error) { return s.info(), nil }),
		callNetwork:  handle(func(_ context.Context, names []string) (map[string]netip.Addr, error) { return s.hosts(names) }),
		callJoin:     handle(func(_ context.Context, a joinArgs) (none, error) { return none{}, s.join(a) }),
		callSpawn:    handle(func(_ context.Context, p Process) (Status, error) { return s.processes.spawn(p, s.net()) }),
		callSignal:   handle(s.signal),
		callStop:     handle(s.stop),
		callStatus:   handle(s.status),
		callWait:     handle(s.wait),
		callCut:      handle(s.cut),
		callDelay:    handle(s.delay),
		callMend:     handle(s.mend),
		callLink:     handle(s.link),
		callPersist:  handle(s.persist),
		callShutdown: handle(s.shutdown),
		callLeave:    handle(s.leave),
	}
}

func (s *supervisor) signal(_ context.Context, a signalArgs) (none, error) {
	c, err := s.processes.find(a.Name)
	if err != nil {
		return none{}, err
	}
	return none{}, c.signal(a.Signal)
}

// stop goes on where the connection ends: half a stop is worse than a whole one.
func (s *supervisor) stop(_ context.Context, a stopArgs) (none, error) {
	c, err := s.processes.find(a.Name)
	if err != nil {
		return none{}, err
	}
	return none{}, c.stop(a.Grace)
}

func (s *supervisor) status(context.Context, none) (map[string]Status, error) {
	out := map[string]Status{}
	for name, c := range s.processes.all() {
		out[name] = c.now()
	}
	return out, nil
}

func (s *supervisor) wait(ctx context.Context, name string) (Status, error) {
	c, err := s.processes.find(name)
	if err != nil {
		return Status{}, err
	}
	select {
	case <-c.ended:
		return c.now(), nil
	case <-ctx.Done():
		return Status{}, ctx.Err()
	}
}

func (s *supervisor) cut(_ context.Context, a linkArgs) (none, error) {
	n, err := s.linked()
	if err != nil {
		return none{}, err
	}
	return none{}, n.Cut(a.From, a.To)
}

func (s *supervisor) delay(_ context.Context, a linkArgs) (none, error) {
	n, err := s.linked()
	if err != nil {
		return none{}, err
	}
	return none{}, n.Delay(a.From, a.To, a.Delay)
}

func (s *supervisor) mend(_ context.Context, a linkArgs) (none, error) {
	n, err := s.linked()
	if err != nil {
		return none{}, err
	}
	return none{}, n.Mend(a.From, a.To)
}

func (s *supervisor) link(_ context.Context, a linkArgs) (network.LinkState, error) {
	n, err := s.linked()
	if err != nil {
		return network.LinkState{}, err
	}
	return n.Link(a.From, a.To)
}

func (s *supervisor) persist(context.Context, none) (none, error) {
	s.persists.Store(true)
	return none{}, nil
}

// shutdown answers when everything is torn down; then the process ends.
func (s *supervisor) shutdown(context.Context, none) (none, error) {
	s.ask("asked to")
	<-s.gone
	return none{}, s.result
}

// leave is shutdown that leaves containers and directories as they are.
func (s *supervisor) leave(ctx context.Context, _ none) (none, error) {
	s.leaves.Store(true)
	return s.shutdown(ctx, none{})
}
