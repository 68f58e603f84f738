package kind

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/storm-harness/storm/internal/docker"
)

// agentScript is what runs in a node for storm: one process for as long as the
// cluster is up, since each `docker exec` of its own takes a tenth of a second
// and more.
//
//go:embed agent.sh
var agentScript string

// agent is a connection to a node.
type agent struct {
	node string
	in   io.WriteCloser
	kill func()
	tell func(event []string) // runs NAME PID START POD CONTAINER, or ends NAME
	gone chan struct{}        // closed when the connection has ended

	mu      sync.Mutex
	last    int
	pending map[string]chan answer
}

// answer is what became of a script.
type answer struct {
	code int
	out  string
}

// errAgentGone is what scripts end with when the connection to their node does.
var errAgentGone = errors.New("the connection to the node has ended: its container may have been stopped")

// openAgent connects to a node, whose logs are told by index, and which has
// components of those names. tell is called in order, until gone is closed.
func openAgent(ctx context.Context, node, index string, names []string, tell func([]string)) (*agent, error) {
	cmd := exec.Command(docker.Command(), "exec", "--interactive", node, "bash", "-c", agentScript, "agent", index, nodeLogs, manifestsDir, strings.Join(names, " "))
	// A Ctrl-C in the terminal is storm's to handle. It ends with its standard
	// input, which storm holds.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("node %s: %w", node, err)
	}
	a := &agent{
		node: node, in: in, kill: func() { _ = cmd.Process.Kill() }, tell: tell,
		gone: make(chan struct{}), pending: map[string]chan answer{},
	}
	here := make(chan struct{})
	go func() {
		a.read(out, here)
		_ = in.Close()
		_ = cmd.Wait() // what it says is in said
		close(a.gone)
	}()
	select {
	case <-here:
		return a, nil
	case <-a.gone:
		return nil, fmt.Errorf("node %s: %s", node, strings.TrimSpace(said.String()))
	case <-ctx.Done():
		a.kill()
		return nil, fmt.Errorf("node %s: %w", node, context.Cause(ctx))
	}
}

// read hands on what the node says.
func (a *agent) read(out io.Reader, here chan struct{}) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		switch {
		case len(words) == 1 && words[0] == "here":
			close(here)
		case len(words) >= 3 && words[0] == "done":
			a.answered(words)
		case len(words) >= 2:
			a.tell(words)
		}
	}
}

func (a *agent) answered(words []string) {
	var r answer
	r.code, _ = strconv.Atoi(words[2]) // the agent's own number
	if len(words) > 3 {
		if out, err := base64.StdEncoding.DecodeString(words[3]); err == nil {
			r.out = strings.TrimRight(string(out), "\n")
		}
	}
	a.mu.Lock()
	waiting := a.pending[words[1]]
	delete(a.pending, words[1])
	a.mu.Unlock()
	if waiting != nil {
		waiting <- r
	}
}

// run runs a script in the node and returns what it says. One whose ctx ends may
// run all the same.
func (a *agent) run(ctx context.Context, script string) (string, error) {
	waiting := make(chan answer, 1)
	a.mu.Lock()
	a.last++
	id := strconv.Itoa(a.last)
	a.pending[id] = waiting
	_, err := fmt.Fprintf(a.in, "%s %s\n", id, base64.StdEncoding.EncodeToString([]byte(script)))
	a.mu.Unlock()
	if err != nil {
		return "", fmt.Errorf("node %s: %w", a.node, errAgentGone)
	}
	select {
	case r := <-waiting:
		if r.code != 0 {
			return r.out, fmt.Errorf("node %s: a script ended with %d: %s", a.node, r.code, r.out)
		}
		return r.out, nil
	case <-a.gone:
		return "", fmt.Errorf("node %s: %w", a.node, errAgentGone)
	case <-ctx.Done():
		return "", fmt.Errorf("node %s: %w", a.node, context.Cause(ctx))
	}
}

// close ends the connection.
func (a *agent) close() {
	a.kill()
	<-a.gone
}
