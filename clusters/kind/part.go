package kind

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/ready"
)

// part is the handle of a component that a node's kubelet runs as a static pod.
//
// To stop it, its manifest is taken away first, then its process is killed; to
// start it, the manifest is put back under another name of the pod. So a kubelet
// neither brings it back while it is to be down, nor makes it wait for having
// failed.
type part struct {
	node *node
	id   clusters.ID
	log  string

	endpoints clusters.Endpoints
	health    string // the page that says whether it is well
	// write writes its manifest with a change; start is in its pod's name.
	write func(ctx context.Context, change clusters.Change, start string) (string, error)

	mu      sync.Mutex
	change  clusters.Change
	placed  string // what the name of the pod holds that was placed last; empty for kubeadm's
	down    bool   // it is to be down: stopped, and nothing placed since
	state   clusters.State
	process process
	ended   string         // the container of the process that has ended last
	sent    syscall.Signal // the last one that was to end the present process
	logged  int64          // size of the log when the present process was started
	news    chan struct{}  // closed and made anew when the state changes
}

var (
	_ clusters.Component = (*part)(nil)
	_ clusters.Signaler  = (*part)(nil)
	_ clusters.Restarter = (*part)(nil)
)

func (n *node) newPart(kind clusters.Kind) *part {
	port, health := map[clusters.Kind]int{
		clusters.KindAPIServer: apiServerPort, clusters.KindControllerManager: managerPort, clusters.KindScheduler: schedulerPort,
	}[kind], "/healthz"
	if kind == clusters.KindAPIServer {
		health = "/readyz"
	}
	p := n.partOf(clusters.ID{Kind: kind, Index: n.index})
	p.health, p.write = health, p.manifest
	p.endpoints = clusters.Endpoints{Client: n.url(port), Metrics: n.url(port) + "/metrics", Host: n.addr.String()}
	return p
}

// partOf begins a handle, which is told of processes that the node finds from now on.
func (n *node) partOf(id clusters.ID) *part {
	p := &part{node: n, id: id, log: filepath.Join(n.cluster.o.LogDir, id.String()+".log"), news: make(chan struct{})}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.parts[nameIn(id)] = p
	return p
}

// manifest writes kubeadm's manifest with what the spec and a change have.
func (p *part) manifest(_ context.Context, change clusters.Change, start string) (string, error) {
	if change.Version != "" || change.BinDir != "" {
		return "", errors.New("its node has one version of it: another is not built yet")
	}
	return p.node.base[p.name()].with(p.deployment(), change, start)
}

// ID implements clusters.Component.
func (p *part) ID() clusters.ID { return p.id }

// Endpoints implements clusters.Component.
func (p *part) Endpoints() clusters.Endpoints { return p.endpoints }

// Log implements clusters.Component.
func (p *part) Log() string { return p.log }

// State implements clusters.Component.
func (p *part) State() clusters.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// deployment is what the spec has of its kind.
func (p *part) deployment() clusters.Deployment {
	k := p.node.cluster.Spec().Kubernetes
	switch p.id.Kind {
	case clusters.KindControllerManager:
		return k.ControllerManager
	case clusters.KindScheduler:
		return k.Scheduler
	}
	return k.APIServer
}

// name is what it is called in its node.
func (p *part) name() string { return nameIn(p.id) }

// file is its manifest where kubelets look, and away where they do not.
func (p *part) file() string { return manifestsDir + "/" + p.name() + ".yaml" }
func (p *part) away() string { return "/etc/kubernetes/" + p.name() + ".away" }

// Stop implements clusters.Restarter.
func (p *part) Stop(ctx context.Context, grace time.Duration) error {
	sig := syscall.SIGKILL
	if grace > 0 {
		sig = syscall.SIGTERM
	}
	p.mu.Lock()
	down, take := p.down, p.asking(sig)
	p.down = true
	p.mu.Unlock()
	// The agent finds no process of a component without a manifest: it looks once
	// more before, lest the kubelet has just started one.
	script := fmt.Sprintf("look > /dev/null; { [ ! -e %[1]s ] || mv -f %[1]s %[2]s; } && { hit %[3]s %[4]d || true; }", p.file(), p.away(), p.name(), sig)
	if _, err := p.node.run(ctx, script); err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		if ctx.Err() == nil { // otherwise it may come to it all the same
			p.down = down
			take()
		}
		return fmt.Errorf("stopping %s: %w", p.id, err)
	}
	stopped := func(s clusters.State) bool { return !s.Running }
	if grace > 0 {
		gctx, cancel := context.WithTimeout(ctx, grace)
		err := p.await(gctx, stopped)
		cancel()
		if err == nil {
			return nil
		}
		if err := p.Signal(ctx, syscall.SIGKILL); err != nil && !stopped(p.State()) {
			return err
		}
	}
	return p.await(ctx, stopped)
}

// await waits until the state is as wanted.
func (p *part) await(ctx context.Context, wanted func(clusters.State) bool) error {
	for {
		p.mu.Lock()
		state, news := p.state, p.news
		p.mu.Unlock()
		if wanted(state) {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", p.id, context.Cause(ctx))
		}
	}
}

// Start implements clusters.Restarter.
func (p *part) Start(ctx context.Context, change clusters.Change) error {
	p.mu.Lock()
	p.change = p.change.With(change)
	change = p.change
	before := p.state
	p.mu.Unlock()
	script, err := p.placing(ctx, change)
	if err != nil {
		return err
	}
	if _, err := p.node.run(ctx, script); err != nil {
		return fmt.Errorf("starting %s: %w", p.id, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, ready.Patience, fmt.Errorf("its kubelet did not start it within %s", ready.Patience))
	defer cancel()
	return p.started(ctx, func(s clusters.State) bool { return s.Running && s.Started.After(before.Started) })
}

// kubeletHangs is when a kubelet that has not started a pod is taken to hang: one
// that does not needs a second or two, and looks for manifests by itself every 20 s
// (fileCheckFrequency), should it have missed one.
const kubeletHangs = 30 * time.Second

// started waits until the kubelet has started the pod that was placed. A kubelet
// whose apiserver hangs, as one does beside an etcd member that is down, waits half a
// minute for each answer in its main loop, again and again, and sees no manifest
// meanwhile; started anew it asks an apiserver that is well, where there is one.
func (p *part) started(ctx context.Context, runs func(clusters.State) bool) error {
	n := p.node
	soon, cancel := context.WithTimeout(ctx, kubeletHangs)
	defer cancel()
	err := p.await(soon, runs)
	if err != nil && ctx.Err() == nil {
		if err := n.restartKubelet(ctx, p.id); err != nil {
			return err
		}
		err = p.await(ctx, runs)
	}
	if err != nil {
		return fmt.Errorf("%w%s", err, n.kubeletSays())
	}
	return nil
}

// restartKubelet has the node's kubelet begin anew for the sake of a component that it
// does not start, unless it was restarted for another just now.
func (n *node) restartKubelet(ctx context.Context, id clusters.ID) error {
	n.mu.Lock()
	again := time.Since(n.restarted) >= kubeletHangs
	if again {
		n.restarted = time.Now()
	}
	n.mu.Unlock()
	if !again {
		return nil
	}
	n.cluster.o.Sink(clusters.Event{Tell: true, Component: id.String(), Text: "its kubelet has not started it for " + kubeletHangs.String() + ", and is restarted"})
	if _, err := n.run(ctx, "systemctl restart --no-block kubelet"); err != nil {
		return fmt.Errorf("restarting the kubelet of %s: %w", n.name, err)
	}
	return nil
}

// placing is a script that puts the manifest where the kubelet finds it, whole at
// once, as another pod than it was.
func (p *part) placing(ctx context.Context, change clusters.Change) (string, error) {
	start := strconv.FormatInt(time.Now().UnixMilli(), 36)
	text, err := p.write(ctx, change, start)
	if err != nil {
		return "", fmt.Errorf("the manifest of %s: %w", p.id, err)
	}
	p.mu.Lock()
	p.placed, p.down, p.state.Asked = start, false, false
	p.mu.Unlock()
	return fmt.Sprintf("base64 -d > %[1]s <<< %[2]s && mv -f %[1]s %[3]s", p.away(), base64.StdEncoding.EncodeToString([]byte(text)), p.file()), nil
}
