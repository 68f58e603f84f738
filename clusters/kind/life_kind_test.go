//go:build kind

package kind_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/kind"
	"github.com/storm-harness/storm/internal/docker"
)

func comeAndGo(t *testing.T, c *kind.Cluster) {
	for _, comp := range c.Components() {
		// A controller that ended itself when its apiserver was away is back first.
		if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
			t.Fatal(err)
		}
		h := comp.(clusters.Restarter)
		before := comp.State()
		if err := h.Stop(within(t, soon), 0); err != nil {
			t.Fatal(err)
		}
		if st := comp.State(); st.Running || st.Exit != "signal: killed" || !st.Asked {
			t.Errorf("%s, stopped: %+v", comp.ID(), st)
		}
		began := time.Now()
		if err := h.Start(within(t, soon), clusters.Change{}); err != nil {
			t.Fatal(err)
		}
		started := time.Since(began)
		if err := h.Ready(within(t, soon)); err != nil {
			t.Fatal(err)
		}
		if st := comp.State(); !st.Running || !st.Started.After(before.Started) || st.PID != 0 && st.PID == before.PID {
			t.Errorf("%s, started again: %+v, before %+v", comp.ID(), st, before)
		}
		t.Logf("%s ran again after %.1fs, and was ready after %.1fs", comp.ID(), started.Seconds(), time.Since(began).Seconds())
	}
}

func signals(t *testing.T, c *kind.Cluster) {
	for _, comp := range c.Components() {
		pid := comp.State().PID
		if pid == 0 {
			t.Skip("processes cannot be looked at from here")
		}
		s := comp.(clusters.Signaler)
		if err := s.Signal(t.Context(), syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		if err := acts.Until(within(t, 10*time.Second), func(context.Context) error { return stateIs(pid, "T") }); err != nil {
			t.Errorf("%s: %v", comp.ID(), err)
		}
		if err := s.Signal(t.Context(), syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
		t.Error(err)
	}
}

func stateIs(pid int, want string) error {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return err
	}
	rest := string(b)[strings.LastIndexByte(string(b), ')')+1:]
	if got := strings.Fields(rest)[0]; got != want {
		return fmt.Errorf("process %d is in the state %s", pid, got)
	}
	return nil
}

func resetGoesBack(t *testing.T, c *kind.Cluster) {
	configMap(t, c, "to-be-forgotten")
	event(t, c, "to-be-forgotten")
	before := map[string]int{}
	for _, comp := range c.Components() {
		before[comp.ID().String()] = comp.State().PID
	}
	spec := c.Spec()
	spec.Kubernetes.APIServer.Flags = map[string]string{"goaway-chance": "0.002"}
	if err := c.Reset(within(t, guard), spec); err != nil {
		t.Fatal(err)
	}
	if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
		t.Fatal(err)
	}
	for shard, prefix := range map[string]string{"main": "/registry/configmaps/default/to-be-forgotten", "events": "/registry/events/default/to-be-forgotten"} {
		if n := len(keys(t, c, shard, prefix)); n != 0 {
			t.Errorf("shard %s still has %s", shard, prefix)
		}
	}
	for _, comp := range c.Components() {
		if pid := comp.State().PID; pid != 0 && pid == before[comp.ID().String()] {
			t.Errorf("%s is the process that it was", comp.ID())
		}
	}
	configMap(t, c, "after")
}

// madeAnew resets to a spec of another topology, for which there are no containers
// yet, and which is a population of its own too.
func madeAnew(t *testing.T, c *kind.Cluster) {
	before, err := docker.Run(t.Context(), "network", "inspect", "--format", "{{.Id}}", c.Name())
	if err != nil {
		t.Fatal(err)
	}
	configMap(t, c, "of-the-former")
	spec := c.Spec()
	spec.Etcd.Members, spec.Etcd.Shards = 3, events()
	filled := 0
	population := clusters.Population{Key: "one", Fill: func(ctx context.Context, settled func(context.Context) error) error {
		filled++
		configMap(t, c, "preloaded")
		return settled(ctx)
	}}
	for again, want := range []string{"made anew, since its topology or image is another, filled with what the scenario preloads, and back at the golden copy", "back at the golden copy in place"} {
		if err := c.ResetTo(within(t, guard), spec, population); err != nil {
			t.Fatal(err)
		}
		if got := c.ResetHow(); got != want {
			t.Errorf("it came about %q, want %q", got, want)
		}
		if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
			t.Fatal(err)
		}
		if n := len(clusters.OfKind(c, clusters.KindEtcd, "main")); n != 3 {
			t.Errorf("the main shard has %d members", n)
		}
		if n := len(keys(t, c, "main", "/registry/configmaps/default/of-the-former")); n != 0 {
			t.Error("what the former cluster held is here")
		}
		if n := len(keys(t, c, "main", "/registry/configmaps/default/preloaded")); n != 1 || filled != 1 {
			t.Errorf("after reset %d the population is there %d times, and was made %d times", again, n, filled)
		}
	}
	if after, err := docker.Run(t.Context(), "network", "inspect", "--format", "{{.Id}}", c.Name()); err != nil || after == before {
		t.Errorf("the network is %s, as before (%v)", after, err)
	}
}

// toldOf waits for the next word of a component. A controller that has ended itself
// meanwhile, as one does that loses its lease, is started again, and no part of this.
func toldOf(t *testing.T, told <-chan string, id clusters.ID) string {
	t.Helper()
	for hang := time.After(soon); ; {
		select {
		case got := <-told:
			if strings.HasPrefix(got, id.String()+": ") {
				return got
			}
			if !endedItself(got, clusters.KindControllerManager, clusters.KindScheduler) {
				t.Errorf("ended though nobody asked: %s", got)
			}
			t.Log("meanwhile: ", got)
		case <-hang:
			t.Fatal("nobody was told")
		}
	}
}

// endIsTold ends the scheduler twice, each time in another way: what is told is how
// the process ended that has just ended, not the one before it.
func endIsTold(t *testing.T, c *kind.Cluster, told chan string) {
	scheduler := clusters.OfKind(c, clusters.KindScheduler, "")[0]
	for _, one := range []struct {
		sig  syscall.Signal
		want string
	}{{syscall.SIGKILL, "kube-scheduler-0: signal: killed"}, {syscall.SIGTERM, "kube-scheduler-0: exit status "}} {
		// It is the first process of its container, for which the kernel keeps no default
		// action: one that has not come to asking for a signal never gets it.
		if err := scheduler.(clusters.Restarter).Ready(within(t, soon)); err != nil {
			t.Fatal(err)
		}
		pid := scheduler.State().PID
		if pid == 0 {
			t.Skip("processes cannot be reached from here")
		}
		if err := syscall.Kill(pid, one.sig); err != nil {
			t.Fatal(err)
		}
		if got := toldOf(t, told, scheduler.ID()); !strings.HasPrefix(got, one.want) {
			t.Errorf("told of %q, want %q", got, one.want)
		}
		// Its kubelet starts it again by itself.
		if err := acts.AwaitHealthy(within(t, soon), c); err != nil {
			t.Error(err)
		}
	}
}
