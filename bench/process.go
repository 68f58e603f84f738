package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/measure"
)

// childVerb has this executable play a generator: childVerb NAME, with its
// setup as one line of JSON on standard input.
const childVerb = "generator"

// message is a line from a child.
type message struct {
	Stage  string          `json:"stage,omitempty"`
	At     float64         `json:"at,omitempty"` // seconds since it began
	Window *rundir.Window  `json:"window,omitempty"`
	Totals *measure.Totals `json:"totals,omitempty"`
	Result *result         `json:"result,omitempty"`
}

// result is what a request generator did.
type result struct {
	OK      uint64            `json:"ok"`
	Bytes   int64             `json:"bytes"`
	Errors  map[string]uint64 `json:"errors,omitempty"`
	Seconds float64           `json:"seconds"`
}

// ahead is how many messages a child may be ahead of who takes them: a fleet
// says a few a second, and must not wait while it is measured.
const ahead = 1 << 16

// process is a child of ours.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan message
	ended chan error
}

// command is a program that dies with this one.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 5 * time.Second
	cmd.Stderr = os.Stderr
	return cmd
}

// generator starts this executable as the generator of that name.
func generator(ctx context.Context, name string, setup any) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	first, err := json.Marshal(setup)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: command(ctx, self, childVerb, name), lines: make(chan message, ahead), ended: make(chan error, 1)}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go p.read(out)
	if _, err := p.in.Write(append(first, '\n')); err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

func (p *process) read(out io.Reader) {
	defer close(p.lines)
	for dec := json.NewDecoder(bufio.NewReader(out)); ; {
		var m message
		if err := dec.Decode(&m); err != nil {
			p.ended <- err
			return
		}
		p.lines <- m
	}
}

// until hands on what the child says until it names the stage, and returns
// that line.
func (p *process) until(ctx context.Context, stage string, each func(message)) (message, error) {
	for {
		select {
		case m, ok := <-p.lines:
			switch {
			case !ok:
				return message{}, fmt.Errorf("storm's generator ended before it was %s: %w", stage, <-p.ended)
			case m.Stage == stage:
				return m, nil
			case each != nil:
				each(m)
			}
		case <-ctx.Done():
			return message{}, ctx.Err()
		}
	}
}

// ask tells the child to do something.
func (p *process) ask(what string) error {
	_, err := io.WriteString(p.in, what+"\n")
	return err
}

// end closes the child's input, which ends it, and waits for it.
func (p *process) end() error {
	_ = p.in.Close() // it may have ended
	for range p.lines {
	}
	return p.cmd.Wait()
}

// cpu is the processor time that a process has used, once it has ended.
func cpu(cmd *exec.Cmd) time.Duration {
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// output runs a program to its end, and returns what it prints.
func output(cmd *exec.Cmd) (string, error) {
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		last := strings.TrimSpace(errs.String())
		return "", fmt.Errorf("%s: %w: %s", cmd.Path, err, last[max(0, len(last)-500):])
	}
	return out.String(), nil
}
