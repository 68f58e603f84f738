package kind

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/ready"
	"github.com/storm-harness/storm/internal/docker"
)

// process is one of a component, as its node tells of it.
type process struct {
	inner     int    // as the node numbers it
	ticks     uint64 // when it was started
	pod       string // the name of its pod
	container string // as the node's container runtime knows it
}

// own says whether a process is of the present pod; it needs p.mu. One of a pod
// before is none of the component: a kubelet may start that once more before it sees
// that its manifest is gone, and then ends it.
func (p *part) own(found process) bool {
	return p.placed == "" || strings.Contains(found.pod+"-", "-"+p.placed+"-")
}

// runs takes over a process that the node has found. The node finds none once the
// manifest is gone; one that it finds while the component is being stopped is to end
// like the one before.
func (p *part) runs(found process) {
	p.mu.Lock()
	own := p.own(found)
	p.mu.Unlock()
	if !own {
		return
	}
	started, err := sinceBoot(found.ticks)
	if err != nil {
		started = time.Now()
	}
	var logged int64 // first: the node has begun to copy what it logs
	if info, err := os.Stat(p.log); err == nil {
		logged = info.Size()
	}
	pid := onHost(found.inner, found.ticks)
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.own(found) { // it was placed anew since
		return
	}
	if !p.down {
		p.sent = 0
	}
	p.state, p.process, p.logged = clusters.State{Running: true, PID: pid, Started: started, Asked: p.down}, found, logged
	p.changed()
}

// changed tells those who wait for news; it needs p.mu.
func (p *part) changed() {
	close(p.news)
	p.news = make(chan struct{})
}

// ends takes over the end of the process, and reports one that nobody asked for.
// how is why, where that is known.
func (p *part) ends(how string) {
	p.mu.Lock()
	if !p.state.Running {
		p.mu.Unlock()
		return
	}
	asked, container := p.state.Asked, p.process.container
	p.state = clusters.State{Started: p.state.Started, Exit: how, Asked: asked}
	if how == "" {
		p.state.Exit = ended(p.sent)
	}
	p.process, p.ended = process{}, ""
	if how == "" { // otherwise its container may run on
		p.ended = container
	}
	p.changed()
	p.mu.Unlock()
	if !asked {
		told := p.node.cluster.tellings.begin()
		go func() {
			defer told()
			p.report(container, how)
		}()
	}
}

// ended is how a process ended that was sent a signal, as far as its node sees that:
// it is there no more. Only of what SIGKILL does is the rest known.
func ended(sent syscall.Signal) string {
	switch sent {
	case 0:
		return "ended"
	case syscall.SIGKILL:
		return "signal: killed"
	}
	return "ended after the signal: " + sent.String()
}

// report tells of an end that nobody asked for, with the exit code that the
// node's container runtime knows, and what that container logged last.
func (p *part) report(container, how string) {
	c := p.node.cluster
	if how == "" {
		how = "ended"
		if code, log, err := p.node.lastWords(c.alive, container); err == nil {
			how = ready.Words(exitText("exit status "+strconv.Itoa(code)), log)
		}
	}
	if c.alive.Err() == nil && c.o.Exited != nil {
		c.o.Exited(p.id, how)
	}
}

// lastWords asks the node's container runtime for the exit code of a container whose
// process has ended, and what it logged last. The runtime comes to it a moment later than
// the agent, who has other things to do than to wait.
func (n *node) lastWords(ctx context.Context, container string) (code int, log string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	said, err := docker.Run(ctx, "exec", n.name, "bash", "-c", exitScript, "exit", container)
	if err != nil {
		return 0, "", err
	}
	text, log, _ := strings.Cut(said, "\n")
	code, err = strconv.Atoi(text)
	return code, log, err
}

// exitScript says what container $1 ended with, and what it logged last. It gives up
// by itself: the end of a `docker exec` does not end what runs in the node.
const exitScript = `while (( SECONDS < 20 )); do
  said=$(set -o pipefail; crictl --timeout 10s inspect "$1" | jq -r '.status | "\(.exitCode) \(.state)"') || exit
  if [ "${said#* }" = CONTAINER_EXITED ]; then
    echo "${said% *}"
    crictl --timeout 10s logs --tail 500 "$1" 2>&1 | tail -c 64K
    exit
  fi
  sleep 0.2
done
exit 1`

// asking notes that the process is asked to end; what it returns takes that back,
// unless it has ended since. Both need p.mu.
func (p *part) asking(sig syscall.Signal) (take func()) {
	asked, sent, who := p.state.Asked, p.sent, p.process
	p.state.Asked, p.sent = true, sig
	return func() {
		if p.process == who {
			p.state.Asked, p.sent = asked, sent
		}
	}
}

// Signal implements clusters.Signaler.
func (p *part) Signal(ctx context.Context, sig syscall.Signal) error {
	p.mu.Lock()
	if !p.state.Running {
		p.mu.Unlock()
		return fmt.Errorf("%s does not run", p.id)
	}
	take := func() {}
	if sig == syscall.SIGKILL || sig == syscall.SIGTERM || sig == syscall.SIGINT {
		take = p.asking(sig)
	}
	p.mu.Unlock()
	if _, err := p.node.run(ctx, fmt.Sprintf("hit %s %d", p.name(), sig)); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if ctx.Err() == nil { // otherwise it may come to it all the same
			take()
		}
		return fmt.Errorf("%s: %w", p.id, err)
	}
	return nil
}
