package supervise

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"

	"github.com/storm-harness/storm/clusters/network"
)

// spawner is the operating system thread that starts every process. A process
// that asks the kernel for a signal at its parent's death gets it at the death
// of the thread that started it; this one lives as long as the supervisor.
type spawner struct {
	jobs chan func()
}

func newSpawner() *spawner {
	s := &spawner{jobs: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for job := range s.jobs {
			job()
		}
	}()
	return s
}

// start starts a command on a host of the network, or on the machine itself.
func (s *spawner) start(cmd *exec.Cmd, n *network.Network, host string) error {
	result := make(chan error)
	s.jobs <- func() { result <- startOn(cmd, n, host) }
	return <-result
}

func startOn(cmd *exec.Cmd, n *network.Network, host string) error {
	if host == network.Machine {
		return cmd.Start()
	}
	if n == nil {
		return fmt.Errorf("there is no host %q: the cluster has no network of its own", host)
	}
	if err := n.Enter(host); err != nil {
		return err
	}
	err := cmd.Start()
	if back := n.Leave(); back != nil {
		// The next process would start on the wrong host.
		panic(fmt.Sprintf("cannot go back to the machine's own network: %v", errors.Join(back, err)))
	}
	return err
}
