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

	"sigs.k8s.io/kind/pkg/apis/config/v1alpha4"
	kindcluster "sigs.k8s.io/kind/pkg/cluster"
	"sigs.k8s.io/kind/pkg/exec"

	"github.com/storm-harness/storm/clusters/ready"
	"github.com/storm-harness/storm/internal/docker"
)

// kind takes the network to put nodes on from the environment only: two creations
// in one process wait for each other.
var creating sync.Mutex

const networkEnv = "KIND_EXPERIMENTAL_DOCKER_NETWORK"

// runtime is the container runtime, as kind's own command selects it.
func runtime() kindcluster.ProviderOption {
	switch name := docker.Command(); name {
	case "podman":
		return kindcluster.ProviderWithPodman()
	case "nerdctl", "finch":
		return kindcluster.ProviderWithNerdctl(name)
	}
	return kindcluster.ProviderWithDocker()
}

// create has kind make the nodes. Kept for now where that fails, so that what they
// logged can be told.
func (c *Cluster) create(ctx context.Context, config *v1alpha4.Cluster) error {
	log, err := os.OpenFile(filepath.Join(c.o.LogDir, "kind.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	said := &kindLog{file: log, sink: c.o.Sink}
	creating.Lock()
	defer creating.Unlock()
	before, was := os.LookupEnv(networkEnv)
	if err := os.Setenv(networkEnv, c.name); err != nil {
		return err
	}
	defer func() {
		if was {
			_ = os.Setenv(networkEnv, before) // it was set like that before
		} else {
			_ = os.Unsetenv(networkEnv) // it fails for bad names only
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
	case <-ctx.Done():
		// kind knows no end but its own: without its containers it comes to one.
		_, _, rmErr := docker.RemoveOwned(context.WithoutCancel(ctx), c.o.Ledger.RunID(), c.name)
		<-done //nolint:errcheck // why it was given up is known; its containers are gone now
		return errors.Join(context.Cause(ctx), rmErr)
	}
	if err == nil {
		return nil
	}
	return c.createError(context.WithoutCancel(ctx), err, log.Name())
}

// createError tells why kind failed: what failed, the next step, and the last
// lines of what it ran and of the nodes' own logs.
func (c *Cluster) createError(ctx context.Context, err error, log string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "kind: %v", explained(err))
	if run := exec.RunErrorForError(err); run != nil {
		show(&b, "what it ran says last", string(run.Output))
	}
	var names []string
	spec := c.Spec()
	for i := range *spec.Kubernetes.APIServer.Replicas {
		names = append(names, nodeName(c.name, "control-plane", i))
	}
	for i := range spec.Kubernetes.Workers {
		names = append(names, nodeName(c.name, "worker", i))
	}
	for _, name := range names {
		if _, err := docker.Run(ctx, "inspect", "--format", "{{.Id}}", name); err != nil {
			continue // it was not made
		}
		if out, err := docker.Run(ctx, "exec", name, "journalctl", "--no-pager", "--output", "cat", "--lines", strconv.Itoa(readLines), "--unit", "kubelet"); err == nil {
			show(&b, "the kubelet of "+name+" logs last", out)
		} else if out, err := docker.Run(ctx, "logs", "--tail", strconv.Itoa(readLines), name); err == nil {
			show(&b, "node "+name+" logs last", out)
		}
	}
	fmt.Fprintf(&b, "\n  all that kind said: %s", log)
	return errors.New(b.String())
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
			const longest = 300
			if len(line) > longest {
				line = line[:longest] + "…"
			}
			lines = append(lines, line)
		}
	}
	if len(lines) > 0 {
		fmt.Fprintf(b, "\n  %s:\n    %s", what, strings.Join(lines[max(0, len(lines)-shownLines):], "\n    "))
	}
}

// hints are what kind, kubeadm or Docker says, and the next step.
var hints = []struct {
	says []string
	hint string
}{
	{[]string{"no space left on device", "disk quota exceeded"}, "the disk is full: free some space, such as with `docker system prune`"},
	{[]string{"port is already allocated", "address already in use"}, "a port is taken: end what listens there, or try again"},
	{[]string{"already exist for a cluster with the name", "is already in use by container"}, "the name is in use: run `storm cleanup`, and `storm cluster list`"},
	{[]string{"pool overlaps with other one on this address space"}, "another Docker network has these addresses: run `docker network prune`"},
	{[]string{"all predefined address pools have been fully subnetted"}, "Docker has no addresses left: run `docker network prune`"},
	{[]string{"failed to pull image", "pull access denied", "manifest unknown", "failed to resolve reference"}, "an image is missing: load it with `docker load`, or build it with `make kind-image`"},
	{[]string{"this version of kubeadm only supports", "is not supported by this version of kubeadm", "unsupported or unknown kubernetes version", "your configuration file uses an old api spec", "does not match the version of kubeadm"}, "kubeadm refuses the version: name a node image of it with --node-image"},
	{[]string{"too many open files", "inotify_"}, "raise fs.inotify.max_user_instances and max_user_watches"},
}

// explained adds the next step to an error, where one is known and not said yet.
func explained(err error) error {
	text := strings.ToLower(err.Error())
	if run := exec.RunErrorForError(err); run != nil {
		text += strings.ToLower(string(run.Output))
	}
	for _, h := range hints {
		for _, says := range h.says {
			if strings.Contains(text, says) && !strings.Contains(text, strings.ToLower(h.hint)) {
				if strings.Contains(err.Error(), "\n") { // it ends with somebody's log
					return fmt.Errorf("%w\n  what to do: %s", err, h.hint)
				}
				return fmt.Errorf("%w: %s", err, h.hint)
			}
		}
	}
	return err
}
