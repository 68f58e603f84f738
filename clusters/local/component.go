package local

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/flags"
	"github.com/storm-harness/storm/clusters/ready"
	"github.com/storm-harness/storm/clusters/supervise"
)

// component is the handle of one process of the cluster.
type component struct {
	cluster   *Cluster
	id        clusters.ID
	endpoints clusters.Endpoints
	log       string
	host      string            // in the supervisor's network; empty: the machine's own
	env       map[string]string // as the spec wants it
	// command builds the command line as the spec and the change want it.
	command func(ctx context.Context, change clusters.Change) (argv []string, err error)
	// probe opens what tells whether it does its work.
	probe func() (ready.Probe, error)

	mu     sync.Mutex
	change clusters.Change // in force since the last Start
	status supervise.Status
	logged int64 // size of the log when the present process was started
}

var (
	_ clusters.Component = (*component)(nil)
	_ clusters.Signaler  = (*component)(nil)
	_ clusters.Restarter = (*component)(nil)
)

// ID implements clusters.Component.
func (c *component) ID() clusters.ID { return c.id }

// Endpoints implements clusters.Component.
func (c *component) Endpoints() clusters.Endpoints { return c.endpoints }

// Log implements clusters.Component.
func (c *component) Log() string { return c.log }

// State implements clusters.Component.
func (c *component) State() clusters.State {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := clusters.State{Running: c.status.Running, Started: c.status.Started, Exit: c.status.Exit, Asked: c.status.Asked}
	if s.Running {
		s.PID = c.status.PID
	}
	return s
}

// Signal implements clusters.Signaler.
func (c *component) Signal(ctx context.Context, sig syscall.Signal) error {
	return c.cluster.supervisor.Signal(ctx, c.id.String(), sig)
}

// Stop implements clusters.Restarter.
func (c *component) Stop(ctx context.Context, grace time.Duration) error {
	c.mu.Lock()
	never := c.status.PID == 0
	c.mu.Unlock()
	if never {
		return nil
	}
	if err := c.cluster.supervisor.Stop(ctx, c.id.String(), grace); err != nil {
		return err
	}
	status, err := c.cluster.supervisor.Wait(ctx, c.id.String())
	if err != nil {
		return err
	}
	c.ended(status)
	return nil
}

// Start implements clusters.Restarter.
func (c *component) Start(ctx context.Context, change clusters.Change) error {
	c.mu.Lock()
	c.change = c.change.With(change)
	change = c.change
	c.mu.Unlock()
	argv, err := c.command(ctx, change)
	if err != nil {
		return fmt.Errorf("%s: %w", c.id, err)
	}
	var logged int64
	if info, err := os.Stat(c.log); err == nil {
		logged = info.Size()
	}
	status, err := c.cluster.supervisor.Spawn(ctx, supervise.Process{
		Name: c.id.String(), Argv: argv, Env: flags.Environ(clusters.Change{Env: c.env}.With(change).Env), Dir: c.cluster.o.Dir, Log: c.log, Host: c.host,
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.status, c.logged = status, logged
	c.mu.Unlock()
	go c.watch(status.PID)
	return nil
}

// watch notes the end of the process as soon as it comes, and reports one that
// nobody asked for.
func (c *component) watch(pid int) {
	status, err := c.cluster.supervisor.Wait(c.cluster.alive, c.id.String())
	switch {
	case c.cluster.alive.Err() != nil:
		return // the cluster is closed
	case err != nil:
		status = supervise.Status{PID: pid, Ended: time.Now(), Exit: "lost with its supervisor: " + err.Error()}
	case status.PID != pid:
		return // it ended before this looked, and Stop has noted it
	}
	if c.ended(status) && !status.Asked && c.cluster.o.Exited != nil {
		c.mu.Lock()
		from := c.logged
		c.mu.Unlock()
		c.cluster.o.Exited(c.id, ready.LastWords(status.Exit, c.log, from))
	}
}

// ended takes over the status of an end; it says whether that was news.
func (c *component) ended(status supervise.Status) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if status.Running || c.status.PID != status.PID || !c.status.Running {
		return false
	}
	c.status = status
	return true
}

// Ready implements clusters.Restarter.
func (c *component) Ready(ctx context.Context) error {
	p, err := c.probe()
	if err != nil {
		return fmt.Errorf("%s: %w", c.id, err)
	}
	defer p.Close()
	return ready.Await(ctx, p, c.State, c.failed)
}

// failed is an error that shows the last lines of the log of this process.
func (c *component) failed(how string) error {
	c.mu.Lock()
	from := c.logged
	c.mu.Unlock()
	return ready.Failed(c.id, how, c.log, from)
}

// changed is the change in force.
func (c *component) changed() clusters.Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.change
}
