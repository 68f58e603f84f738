package kind

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"

	"github.com/storm-harness/storm/clusters"
)

// deadNode is a node whose connection has ended: whatever it is to do fails.
func deadNode(t *testing.T) *node {
	t.Helper()
	r, w := io.Pipe()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return &node{cluster: &Cluster{alive: t.Context()}, agent: &agent{in: w, gone: make(chan struct{}), pending: map[string]chan answer{}}}
}

func partForTest(t *testing.T) *part {
	t.Helper()
	return &part{node: deadNode(t), id: clusters.ID{Kind: clusters.KindScheduler}, news: make(chan struct{})}
}

// found is a process that no machine has.
func found(pod string) process { return process{inner: 1 << 30, ticks: 1, pod: pod, container: pod} }

func TestOnlyTheProcessOfThePresentPodIsTheComponents(t *testing.T) {
	p := partForTest(t)
	p.placed = "abc"
	p.runs(found("kube-scheduler-abd-node"))
	if p.State().Running {
		t.Error("the process of another pod was taken for its own")
	}
	p.runs(found("kube-scheduler-abc-node"))
	if st := p.State(); !st.Running || st.Asked {
		t.Errorf("its own process was not taken over: %+v", st)
	}
}

// A kubelet may start a component anew in the moment that it is being stopped: that
// process is to end too, and its end is no news.
func TestAProcessThatComesWhileTheComponentIsStoppedIsToEnd(t *testing.T) {
	p := partForTest(t)
	p.runs(found("kube-scheduler-node"))
	p.mu.Lock()
	p.asking(syscall.SIGKILL)
	p.down = true
	p.mu.Unlock()
	p.ends("")
	p.runs(found("kube-scheduler-node"))
	if st := p.State(); !st.Running || !st.Asked {
		t.Errorf("while it is stopped: %+v", st)
	}
	p.ends("")
	if st := p.State(); st.Running || st.Exit != "signal: killed" || !st.Asked {
		t.Errorf("stopped: %+v", st)
	}
}

func TestWhatCouldNotBeAskedIsNotAsked(t *testing.T) {
	p := partForTest(t)
	p.runs(found("kube-scheduler-node"))
	if err := p.Stop(t.Context(), 0); !errors.Is(err, errAgentGone) {
		t.Fatal(err)
	}
	if err := p.Signal(t.Context(), syscall.SIGTERM); !errors.Is(err, errAgentGone) {
		t.Fatal(err)
	}
	if st := p.State(); st.Asked || p.down || p.sent != 0 {
		t.Errorf("a stop and a signal that failed mute a later crash: %+v, down %v, sent %v", st, p.down, p.sent)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Stop(ctx, 0); err == nil || !p.State().Asked {
		t.Errorf("a stop that was given up may be carried out all the same: %v, %+v", err, p.State())
	}
}

func TestAnEndIsToldAsItWasSeen(t *testing.T) {
	for sent, want := range map[syscall.Signal]string{
		0: "ended", syscall.SIGKILL: "signal: killed", syscall.SIGTERM: "ended after the signal: terminated",
	} {
		p := partForTest(t)
		p.runs(found("kube-scheduler-node"))
		if sent != 0 {
			p.mu.Lock()
			p.asking(sent)
			p.mu.Unlock()
		}
		p.ends("")
		if got := p.State().Exit; got != want {
			t.Errorf("after %v it ended with %q, want %q", sent, got, want)
		}
	}
}
