//go:build cluster

package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/storm-harness/storm/internal/procfs"
	"github.com/storm-harness/storm/internal/rundir"
)

// scenario is a small one with a timeline; nothing of it is awaited to its end.
func scenario(steps ...string) string {
	return `apiVersion: storm/v1alpha1
kind: Scenario
metadata: {name: killed}
spec:
  cluster:
    kubernetes: {controllerManager: {replicas: 0}, scheduler: {replicas: 0}}
    etcd: {members: 3}
  timeline:
    - ` + strings.Join(steps, "\n    - ") + `
  gates:
    - {metric: writes.lost, max: 0}
`
}

const (
	steady   = "steady: 5m"
	fault    = "fault: {leaderKill: {shard: main}, for: 5m}"
	backup   = "operation: {backup: {}}"
	restore  = "operation: {restore: {}}"
	recovery = "recovery: {atMost: 1m}"
)

// TestKilled kills storm, and its supervisor, in every phase, beside a cluster
// that lives. Whatever was killed, after a cleanup nothing of it is left.
func TestKilled(t *testing.T) {
	s := newStage(t)
	beside := s.beside(t)
	for _, c := range []struct {
		name     string
		timeline []string
		until    func(*player)
		both     bool // the supervisor too
		report   bool // there is something to report
	}{
		{name: "start", timeline: []string{steady}, until: (*player).untilStarting},
		{name: "start-both", timeline: []string{steady}, until: (*player).untilStarting, both: true},
		{name: "reset", timeline: []string{steady}, until: func(p *player) { p.await("resetting the cluster") }},
		{name: "steady", timeline: []string{steady}, until: func(p *player) { p.await("  steady") }, report: true},
		{name: "fault-both", timeline: []string{fault, recovery}, until: func(p *player) { p.awaitProof() }, both: true, report: true},
		{name: "operation", timeline: []string{backup, restore, recovery}, until: func(p *player) { p.await("operation restore") }, report: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.start(t, c.name, scenario(c.timeline...))
			c.until(p)
			supervisor := p.supervisor()
			kill(t, p.Process.Pid)
			if c.both {
				kill(t, supervisor)
				// Until the kernel has taken it apart it lives, as far as anybody can see,
				// and cleanup keeps off.
				until(t, "the supervisor's end", func() bool { st, err := procfs.ReadStat(supervisor); return err != nil || st.Dead() })
			}
			if _, sig := p.end(); sig != syscall.SIGKILL {
				t.Fatalf("it was not killed:\n%s", p.said())
			}
			// Where its supervisor lives, it is just ending: cleanup waits for it.
			s.run(t, exitPass, "cleanup")
			if left := p.left(); len(left) > 0 {
				t.Errorf("left behind:\n%s\nThe storm said:\n%s", strings.Join(left, "\n"), p.said())
			}
			beside.untouched(t)
			if c.report {
				s.reported(t, p.dir)
			}
		})
	}

	t.Run("supervisor", func(t *testing.T) {
		p := s.start(t, "supervisor", scenario(steady))
		p.await("  steady")
		kill(t, p.supervisor())
		if code, sig := p.end(); code != exitError || !strings.Contains(p.said(), "storm: the cluster's supervisor is gone") {
			t.Errorf("exit code %d, signal %d:\n%s", code, sig, p.said())
		}
		// The storm that lives has put everything back itself.
		if left := p.left(); len(left) > 0 {
			t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
		beside.untouched(t)
		s.reported(t, p.dir)
	})

	t.Run("interrupt", func(t *testing.T) {
		p := s.start(t, "interrupt", scenario(fault, recovery))
		p.awaitProof()
		interrupt(t, p)
		if code, _ := p.end(); code != exitInterrupted {
			t.Errorf("exit code %d:\n%s", code, p.said())
		}
		if left := p.left(); len(left) > 0 {
			t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
		kinds := eventKinds(t, filepath.Join(p.dir, "trials", "001-b1-default", "events.jsonl"))
		if !slices.Contains(kinds, rundir.EventActHealed) {
			t.Errorf("the fault was not healed: %v", kinds)
		}
		if !strings.Contains(p.stdout.String(), "INVALID") || !strings.HasSuffix(p.said(), "storm: interrupted; the report is of what there was") {
			t.Errorf("it printed:\n%s\n%s", p.stdout.String(), p.said())
		}
		beside.untouched(t)
		s.reported(t, p.dir)
	})

	t.Run("interrupt-twice", func(t *testing.T) {
		p := s.start(t, "interrupt-twice", scenario(fault, recovery))
		p.awaitProof()
		interrupt(t, p)
		p.await("interrupted")
		interrupt(t, p)
		if code, sig := p.end(); sig != syscall.SIGINT {
			t.Errorf("exit code %d, signal %d: it did not give up at once:\n%s", code, sig, p.said())
		}
		s.run(t, exitPass, "cleanup")
		if left := p.left(); len(left) > 0 {
			t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
		beside.untouched(t)
	})

	// What lived beside all of them ends when it is told to, and not before.
	before := s.run(t, exitPass, "cleanup", "-o", "json")
	if !strings.Contains(before, `"result": "live"`) {
		t.Errorf("cleanup does not know the live cluster: %s", before)
	}
	s.run(t, exitPass, "cluster", "down")
	if got := s.run(t, exitPass, "cleanup"); got != "Nothing was left behind.\n" {
		t.Errorf("after all, cleanup says %q", got)
	}
	for _, folder := range []string{"runs", "clusters", "ledger"} {
		entries, err := os.ReadDir(filepath.Join(s.state(), folder))
		if err != nil || len(entries) > 0 {
			t.Errorf("in %s there are %v, %v", folder, entries, err)
		}
	}
}

// TestAKilledClusterByHand kills the supervisor of a cluster by hand.
func TestAKilledClusterByHand(t *testing.T) {
	s := newStage(t)
	c := s.beside(t)
	kill(t, c.supervisor)
	p := &player{t: t, stage: s, id: c.run}
	until(t, "the processes' end", func() bool { return len(p.processes()) == 0 })
	if got := s.run(t, exitPass, "cluster", "list"); !strings.Contains(got, "gone: the supervisor does not answer") || !strings.Contains(got, "storm cleanup") {
		t.Errorf("list says:\n%s", got)
	}
	s.run(t, exitError, "cluster", "down")
	if got := s.run(t, exitPass, "cleanup"); !strings.Contains(got, "removed") {
		t.Errorf("cleanup says:\n%s", got)
	}
	if left := p.left(); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
	if got := s.run(t, exitPass, "cluster", "list", "-o", "name"); got != "" {
		t.Errorf("it is still listed: %s", got)
	}
	if got := s.run(t, exitPass, "cleanup"); got != "Nothing was left behind.\n" {
		t.Errorf("a second cleanup says %q", got)
	}
}

// untilStarting returns while the cluster's components start.
func (p *player) untilStarting() {
	until(p.t, "the first members", func() bool { return len(p.processes()) > 2 })
}

// reported renders a run directory again: never as a pass.
func (s *stage) reported(t *testing.T, dir string) {
	t.Helper()
	if out := s.run(t, exitInvalid, "report", dir); !strings.Contains(out, "INVALID") {
		t.Errorf("the report of a run that was cut off:\n%s", out)
	}
	for _, file := range []string{"report.html", "report.md", "report.json", "junit.xml"} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// bystander is a cluster that lives beside.
type bystander struct {
	stage      *stage
	run        string
	supervisor int
	processes  map[string]int
	client     kubernetes.Interface
}

// beside starts a cluster by hand, and notes what it consists of.
func (s *stage) beside(t *testing.T) *bystander {
	t.Helper()
	spec := s.file(t, "beside.yaml", "kubernetes: {controllerManager: {replicas: 0}, scheduler: {replicas: 0}}\n")
	s.run(t, exitPass, "cluster", "up", "--name", "beside", "--file", spec)
	t.Cleanup(func() { _ = s.command("cluster", "down", "beside").Run() }) // only if the test failed
	c := s.look(t)
	b := &bystander{stage: s, supervisor: c.Supervisor, processes: c.Processes}
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if b.client, err = kubernetes.NewForConfig(config); err != nil {
		t.Fatal(err)
	}
	marker, err := os.ReadFile(filepath.Join(filepath.Dir(c.Kubeconfig), ".storm"))
	if err != nil {
		t.Fatal(err)
	}
	b.run = strings.TrimSpace(string(marker))
	if len(b.processes) != 2 {
		t.Fatalf("it consists of %v", b.processes)
	}
	return b
}

// untouched wants the same processes, and an answer from the apiserver.
func (b *bystander) untouched(t *testing.T) {
	t.Helper()
	c := b.stage.look(t)
	if c.Status != "up" || c.Supervisor != b.supervisor || !maps.Equal(c.Processes, b.processes) {
		t.Errorf("the cluster beside is %s, with the processes %v: it was up with %v", c.Status, c.Processes, b.processes)
	}
	if _, err := b.client.CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{}); err != nil {
		t.Errorf("the cluster beside: %v", err)
	}
}
