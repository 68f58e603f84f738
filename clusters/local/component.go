package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/local/supervise"
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
	probe func() (probe, error)

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
	c.change = merge(c.change, change)
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
		Name: c.id.String(), Argv: argv, Env: environ(merge(clusters.Change{Env: c.env}, change).Env), Dir: c.cluster.o.Dir, Log: c.log, Host: c.host,
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
		c.cluster.o.Exited(c.id, status.Exit)
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

// readyEvery is how often a starting component is looked at.
const readyEvery = 20 * time.Millisecond

// Ready implements clusters.Restarter.
func (c *component) Ready(ctx context.Context) error {
	p, err := c.probe()
	if err != nil {
		return fmt.Errorf("%s: %w", c.id, err)
	}
	defer p.close()
	ticker := time.NewTicker(readyEvery)
	defer ticker.Stop()
	var last error
	for {
		// A look has a bound of its own: a server that takes the connection and
		// does not answer must not hold up the next look.
		look, cancel := context.WithTimeout(ctx, 2*time.Second)
		err := p.look(look)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		if st := c.State(); !st.Running {
			return c.failed(fmt.Sprintf("ended before it was ready (%s)", st.Exit))
		}
		select {
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return ctx.Err()
			}
			return c.failed(fmt.Sprintf("did not get ready (%v): %v", context.Cause(ctx), last))
		case <-ticker.C:
		}
	}
}

// tailLines is how much of a log an error shows. Of a short one it shows the
// first lines too: a program that does not like its flags says so first, and
// then explains all of them.
const (
	tailLines = 15
	headLines = 3
	shortLog  = 80
)

// failed is an error that shows the last lines of the log of this process.
func (c *component) failed(how string) error {
	c.mu.Lock()
	from := c.logged
	c.mu.Unlock()
	lines := tail(c.log, from, tailLines)
	if len(lines) == 0 {
		return fmt.Errorf("%s %s; it logged nothing to %s", c.id, how, c.log)
	}
	return fmt.Errorf("%s %s; the last lines of %s:\n  %s", c.id, how, c.log, strings.Join(lines, "\n  "))
}

// tail returns the last n lines that a file has after an offset, and the first
// few if there are not many, each cut to a length that a terminal bears.
func tail(path string, from int64, n int) []string {
	const most, longest = 64 << 10, 300
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		from = max(from, info.Size()-most)
	}
	data, err := io.ReadAll(io.NewSectionReader(f, from, most))
	if err != nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimRight(line, "\n"); len(line) > longest {
			line = line[:longest] + "…"
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	switch over := len(lines) - n; {
	case over <= 0:
		return lines
	case over > headLines && len(lines) <= shortLog:
		return slices.Concat(lines[:headLines], []string{"…"}, lines[over:])
	default:
		return lines[over:]
	}
}

// changed is the change in force.
func (c *component) changed() clusters.Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.change
}

// merge lays a change over another.
func merge(a, b clusters.Change) clusters.Change {
	out := clusters.Change{Flags: maps.Clone(a.Flags), Env: maps.Clone(a.Env), Version: a.Version, BinDir: a.BinDir}
	if out.Flags == nil {
		out.Flags = map[string]string{}
	}
	if out.Env == nil {
		out.Env = map[string]string{}
	}
	maps.Copy(out.Flags, b.Flags)
	maps.Copy(out.Env, b.Env)
	if b.Version != "" {
		out.Version = b.Version
	}
	if b.BinDir != "" {
		out.BinDir = b.BinDir
	}
	return out
}
