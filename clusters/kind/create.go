package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/exec"

	"github.com/storm-harness/storm/clusters/ready"
	"github.com/storm-harness/storm/internal/docker"
)

// kind takes the network to put nodes on from the environment only: two creations
// in one process wait for each other.
var creating sync.Mutex

func networkEnv() string {
	if docker.Command() == "podman" {
		return "KIND_EXPERIMENTAL_PODMAN_NETWORK"
	}
	return "KIND_EXPERIMENTAL_DOCKER_NETWORK"
}

// runtime is the container runtime, as kind's own command selects it.
func runtime() kindcluster.ProviderOption {
	if docker.Command() == "podman" {
		return kindcluster.ProviderWithPodman()
	}
	return kindcluster.ProviderWithDocker()
}

// create has kind make the nodes. Kept for now where that fails, so that what they
// logged can be told. wanted ends where the cluster comes to nothing, be it that
// ctx does.
func (c *Cluster) create(ctx, wanted context.Context, config *v1alpha4.Cluster) error {
	log, err := os.OpenFile(filepath.Join(c.o.LogDir, "kind.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	said := &kindLog{file: log, sink: c.o.Sink}
	creating.Lock()
	defer creating.Unlock()
	before, was := os.LookupEnv(networkEnv())
	if err := os.Setenv(networkEnv(), c.name); err != nil {
		return err
	}
	defer func() {
		if was {
			_ = os.Setenv(networkEnv(), before) // it was set like that before
		} else {
			_ = os.Unsetenv(networkEnv()) // it fails for bad names only
		}
	}()
	provider := kindcluster.NewProvider(kindcluster.ProviderWithLogger(said), runtime())
	done := make(chan error, 1)
	go func() {
		done <- provider.Create(c.name, kindcluster.CreateWithV1Alpha4Config(config),
			kindcluster.CreateWithKubeconfigPath(filepath.Join(c.o.Dir, "kind.kubeconfig")), kindcluster.CreateWithRetain(true))
	}()
	select {
	case err = <-done:
	case <-wanted.Done():
		return errors.Join(context.Cause(wanted), c.breakOff(ctx, done))
	}
	if err == nil {
		return nil
	}
	return c.createError(context.WithoutCancel(ctx), err, log.Name())
}

// breakOff has kind come to an end, of which it knows none but its own: it does
// without its containers, or, where these are to be kept, without the kubeadm that it
// runs in them. Who has storm end wants to keep nothing.
func (c *Cluster) breakOff(ctx context.Context, done <-chan error) error {
	if c.o.Retain {
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for ctx.Err() == nil {
			for _, name := range c.nodeNames() {
				_, _ = docker.Run(ctx, "exec", name, "bash", "-c", endKubeadm) // there may be no such node yet
			}
			select {
			case <-done: //nolint:errcheck // why it was given up is known
				return nil
			case <-ticker.C:
			case <-ctx.Done():
			}
		}
	}
	// Before its first nodes kind does not fail by that: where the network is gone it
	// makes one itself, and goes on there. So they are taken from it again and again
	// while it runs, and once more when it has ended.
	for ended := false; ; {
		_, _, err := docker.RemoveOwned(context.WithoutCancel(ctx), c.o.Ledger.RunID(), c.name)
		if ended {
			return err
		}
		select {
		case <-done: //nolint:errcheck // why it was given up is known
			ended = true
		case <-time.After(time.Second):
		}
	}
}

const endKubeadm = `for d in /proc/[0-9]*; do
  if { read -r comm < "$d/comm"; } 2>/dev/null && [ "$comm" = kubeadm ]; then kill -9 "${d#/proc/}"; fi
done`

// nodeNames are what kind calls the nodes of the spec.
func (c *Cluster) nodeNames() []string {
	var names []string
	spec := c.Spec()
	for i := range *spec.Kubernetes.APIServer.Replicas {
		names = append(names, nodeName(c.name, "control-plane", i))
	}
	for i := range spec.Kubernetes.Workers {
		names = append(names, nodeName(c.name, "worker", i))
	}
	return names
}

// createError tells why kind failed: what failed, the next step, and the last
// lines of what it ran and of the nodes' own logs.
func (c *Cluster) createError(ctx context.Context, err error, log string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "kind: %v", explained(err))
	if run := exec.RunErrorForError(err); run != nil {
		show(&b, "what it ran says last", string(run.Output))
	}
	for _, name := range c.nodeNames() {
		if _, err := docker.Run(ctx, "inspect", "--format", "{{.Id}}", name); err != nil {
			continue // it was not made
		}
		if out, err := docker.Run(ctx, "exec", name, "journalctl", "--no-pager", "--output", "cat", "--lines", strconv.Itoa(readLines), "--unit", "kubelet"); err == nil && out != "" { // it may have said nothing yet
			show(&b, "the kubelet of "+name+" logs last", out)
		} else if out, err := docker.Run(ctx, "logs", "--tail", strconv.Itoa(readLines), name); err == nil {
			show(&b, "node "+name+" logs last", out)
		}
	}
	show(&b, "kind said last", strings.Join(ready.LastLines(log, 0, shownLines), "\n"))
	if c.outlives(log) {
		fmt.Fprintf(&b, "\n  all that kind said: %s", log)
	}
	return errors.New(b.String())
}

// outlives says whether a log is there when the cluster has come to nothing: one in
// the cluster's directory is removed with that.
func (c *Cluster) outlives(log string) bool {
	within, err := filepath.Rel(c.o.Dir, log)
	return err != nil || !filepath.IsLocal(within) || c.o.Retain
}

// kubeletSays is what the node's kubelet logged last, to be put behind an error.
func (n *node) kubeletSays() string {
	var b strings.Builder
	log := filepath.Join(n.cluster.o.LogDir, n.kubelet()+".log")
	show(&b, "the kubelet of "+n.name+" logs last", strings.Join(ready.LastLines(log, 0, readLines), "\n"))
	if n.cluster.outlives(log) {
		fmt.Fprintf(&b, "\n  all that it says: %s", log)
	}
	return b.String()
}

// shownLines is how much of each log an error shows, of the last readLines: a Go
// stack may be among them.
const (
	shownLines = 8
	readLines  = 200
)

// show adds the last lines of a text.
func show(b *strings.Builder, what, text string) {
	var lines []string
	for _, line := range ready.WithoutFrames(strings.Split(text, "\n")) {
		if line = strings.TrimSpace(line); line != "" {
			// Why stands at the end, as in "… no space left on device".
			const longest, ending = 300, 120
			if len(line) > longest {
				line = strings.ToValidUTF8(line[:longest-ending], "") + " … " + strings.ToValidUTF8(line[len(line)-ending:], "")
			}
			lines = append(lines, line)
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "\n  %s:\n    %s", what, strings.Join(lines[max(0, len(lines)-shownLines):], "\n    "))
	}
}
