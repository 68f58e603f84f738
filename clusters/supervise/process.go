package supervise

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/storm-harness/storm/clusters/network"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/procfs"
	"golang.org/x/sys/unix"
)

// processes is the table of what the supervisor has started.
type processes struct {
	ledger  *ledger.Ledger
	spawner *spawner

	mu     sync.Mutex
	closed bool
	byName map[string]*child
}

// child is one process, from its start on.
type child struct {
	cmd    *exec.Cmd
	record string        // its name in the ledger
	ended  chan struct{} // closed when it has ended and its status says how

	mu     sync.Mutex
	status Status
}

func newProcesses(l *ledger.Ledger) *processes {
	return &processes{ledger: l, spawner: newSpawner(), byName: map[string]*child{}}
}

// spawn starts a process on a host of the network n.
func (p *processes) spawn(want Process, n *network.Network) (Status, error) {
	if want.Name == "" || len(want.Argv) == 0 {
		return Status{}, errors.New("a process needs a name and a program")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return Status{}, errors.New("the supervisor is shutting down")
	}
	if old, ok := p.byName[want.Name]; ok && old.now().Running {
		return Status{}, fmt.Errorf("%s runs already, as process %d", want.Name, old.now().PID)
	}
	c := &child{record: recordName(os.Getpid(), want.Name), ended: make(chan struct{})}
	if err := p.ledger.Intend(ledger.Process, c.record); err != nil {
		return Status{}, err
	}
	if err := c.start(want, p.environment(want.Env), p.spawner, n); err != nil {
		return Status{}, errors.Join(fmt.Errorf("starting %s: %w", want.Name, err), p.ledger.Undo(ledger.Process, c.record))
	}
	go p.await(c)
	p.byName[want.Name] = c
	id, err := procfs.Identify(c.cmd.Process.Pid)
	if err == nil {
		err = p.ledger.Started(c.record, id)
	}
	if err != nil {
		return Status{}, errors.Join(fmt.Errorf("recording %s: %w", want.Name, err), c.kill())
	}
	return c.now(), nil
}

// start starts the process with its output in its log.
func (c *child) start(want Process, env []string, s *spawner, n *network.Network) error {
	log, err := os.OpenFile(want.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(want.Argv[0], want.Argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = env, want.Dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := time.Now()
	if err := s.start(cmd, n, want.Host); err != nil {
		return err
	}
	c.cmd = cmd
	c.status = Status{Name: want.Name, Host: want.Host, PID: cmd.Process.Pid, Running: true, Started: started}
	return nil
}

// await records the end of a process as soon as it comes.
func (p *processes) await(c *child) {
	c.reap()
	if err := p.ledger.Undo(ledger.Process, c.record); err != nil {
		slog.Error("recording an end", "process", c.now().Name, "err", err)
	}
	close(c.ended)
}

// reap waits for the end, and takes the process out of the kernel's table only
// under c.mu: so long its pid is nobody else's, and kill cannot hit another.
func (c *child) reap() {
	for {
		err := unix.Waitid(unix.P_PID, c.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.cmd.Wait()
	c.status.Running, c.status.Ended = false, time.Now()
	if state := c.cmd.ProcessState; state != nil {
		c.status.Exit = state.String()
	} else {
		c.status.Exit = err.Error()
	}
}

// environment is what a process gets beside its own.
func (p *processes) environment(own []string) []string {
	var env []string
	for _, key := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+value)
		}
	}
	env = append(env, own...)
	return append(env, ledger.RunEnv+"="+p.ledger.RunID())
}

// find returns the last process of that name.
func (p *processes) find(name string) (*child, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.byName[name]
	if !ok {
		return nil, fmt.Errorf("no process %q was ever started", name)
	}
	return c, nil
}

// all returns the last process of every name.
func (p *processes) all() map[string]*child {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.byName)
}

// close kills every process, waits for their ends, and starts no more.
func (p *processes) close() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	var errs []error
	for _, c := range p.all() {
		errs = append(errs, c.kill())
	}
	for _, c := range p.all() {
		<-c.ended
	}
	return errors.Join(errs...)
}

func (c *child) now() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// signal sends a signal, and notes whether its end was thereby asked for.
func (c *child) signal(sig syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.status.Running {
		return fmt.Errorf("%s does not run: it ended with %s", c.status.Name, c.status.Exit)
	}
	// Asked comes before the signal: whoever waits for the end sees both.
	was := c.status.Asked
	c.status.Asked = was || ends(sig)
	if err := c.cmd.Process.Signal(sig); err != nil {
		c.status.Asked = was
		if errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("%s does not run: it has just ended", c.status.Name)
		}
		return fmt.Errorf("signalling %s: %w", c.status.Name, err)
	}
	return nil
}

// ends is true of the signals that storm sends to end a process.
func ends(sig syscall.Signal) bool {
	switch sig {
	case syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGABRT:
		return true
	}
	return false
}

// stop asks the process to end, and kills it after the grace period. It
// returns when it has ended; if it did not run, at once.
func (c *child) stop(grace time.Duration) error {
	if grace > 0 {
		// One that was paused must go on, or it could not act on the request.
		if c.signal(syscall.SIGTERM) == nil && c.signal(syscall.SIGCONT) == nil {
			timer := time.NewTimer(grace)
			defer timer.Stop()
			select {
			case <-c.ended:
				return nil
			case <-timer.C:
			}
		}
	}
	if err := c.kill(); err != nil {
		return err
	}
	<-c.ended
	return nil
}

// kill kills the process, and what it has started in its process group. One
// that has ended is fine.
func (c *child) kill() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.status.Running {
		return nil
	}
	c.status.Asked = true
	err := syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("killing %s: %w", c.status.Name, err)
	}
	return nil
}
