// Package child runs a program to its end: what it prints is handed over line
// by line, what it says last is in the error, and it goes when its caller does.
package child

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/storm-harness/storm/internal/priority"
)

// Command is a program with its arguments.
type Command struct {
	Path string // or a name to be looked up in the PATH
	Args []string
	Dir  string    // the caller's by default
	Env  []string  // the caller's by default
	In   io.Reader // nothing by default
	// Out takes what it prints, byte by byte; without it, lines go to the
	// function that Run is given.
	Out io.Writer
	// Noise tells which lines of standard error do not say what went wrong. They
	// are handed over all the same.
	Noise func(string) bool
}

// Run runs the command and hands its output over line by line; each function is
// called from one goroutine, and may be nil. If it fails, the error ends with the
// last lines of its standard error; it wraps exec.ErrNotFound or fs.ErrNotExist
// where there is no such program. It is killed, with all that it started, when
// ctx ends; it does not outlive its caller.
func (c Command) Run(ctx context.Context, stdout, stderr func(string)) error {
	// The kernel ties Pdeathsig to the thread that forked.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, c.Path, c.Args...)
	cmd.Dir, cmd.Env, cmd.Stdin = c.Dir, c.Env, c.In
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	var last tail
	out := &lineWriter{line: orNothing(stdout)}
	said := orNothing(stderr)
	errs := &lineWriter{line: func(s string) {
		if c.Noise == nil || !c.Noise(s) {
			last.add(s)
		}
		said(s)
	}}
	cmd.Stdout, cmd.Stderr = io.Writer(out), errs
	if c.Out != nil {
		cmd.Stdout = c.Out
	}
	err := priority.Ordinarily(cmd.Run)
	out.flush()
	errs.flush()
	switch {
	case err != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%s: %w%s", c.name(), err, last.String())
	}
	return nil
}

// Lines runs the command and returns what it prints.
func (c Command) Lines(ctx context.Context) (lines []string, err error) {
	err = c.Run(ctx, func(s string) { lines = append(lines, s) }, nil)
	return lines, err
}

// name is the program with its first argument, which is often a verb.
func (c Command) name() string {
	name := filepath.Base(c.Path)
	if len(c.Args) > 0 {
		name += " " + c.Args[0]
	}
	return name
}

func orNothing(f func(string)) func(string) {
	if f == nil {
		return func(string) {}
	}
	return f
}
