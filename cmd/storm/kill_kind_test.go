//go:build kind

package main

import (
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/storm-harness/storm/internal/docker"
	"github.com/storm-harness/storm/internal/procfs"
	"github.com/storm-harness/storm/internal/rundir"
)

const onKind = `apiVersion: storm/v1alpha1
kind: Scenario
metadata: {name: killed}
spec:
  cluster:
    provider: kind
  timeline:
    - fault: {leaderKill: {shard: main}, for: 1m}
    - recovery: {atMost: 1m}
  gates:
    - {metric: writes.lost, max: 0}
`

// TestKilledOnKind kills and interrupts storms that have just killed a member of a
// kind cluster. Whatever was killed, after a cleanup there are the containers,
// networks and volumes that there were, and nothing else of the run.
func TestKilledOnKind(t *testing.T) {
	s := newStage(t)
	for _, c := range []struct {
		name string
		end  func(t *testing.T, p *player)
		code int // of storm itself, where it is not killed
	}{
		{name: "storm-alone", end: func(t *testing.T, p *player) { kill(t, p.Process.Pid) }},
		{name: "storm-and-supervisor", end: func(t *testing.T, p *player) {
			supervisor := p.supervisor()
			kill(t, p.Process.Pid)
			kill(t, supervisor)
			until(t, "the supervisor's end", func() bool { st, err := procfs.ReadStat(supervisor); return err != nil || st.Dead() })
		}},
		{name: "interrupt", end: interrupt, code: exitInterrupted},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := inDocker(t)
			p := s.start(t, c.name, onKind)
			p.await("the cluster is up") // which may take a busy machine as long as what follows
			p.awaitProof()
			if slices.Equal(inDocker(t), before) {
				t.Fatal("a cluster without containers or a network")
			}
			c.end(t, p)
			code, sig := p.end()
			if c.code == 0 && sig != syscall.SIGKILL || c.code != 0 && code != c.code {
				t.Errorf("exit code %d, signal %d:\n%s", code, sig, p.said())
			}
			if c.code == 0 {
				s.run(t, exitPass, "cleanup") // an interrupted storm has done that itself
			}
			if after := inDocker(t); !slices.Equal(after, before) {
				t.Errorf("in Docker there were %v, and now %v; storm said:\n%s", before, after, p.said())
			}
			if left := p.left(); len(left) > 0 {
				t.Errorf("left behind:\n%s\nstorm said:\n%s", strings.Join(left, "\n"), p.said())
			}
			if got := s.run(t, exitPass, "cleanup"); got != "Nothing was left behind.\n" {
				t.Errorf("after all, cleanup says %q", got)
			}
			if out := s.run(t, exitInvalid, "report", p.dir); !strings.Contains(out, "INVALID") {
				t.Errorf("the report of a run that was cut off:\n%s", out)
			}
			if kinds := eventKinds(t, filepath.Join(p.dir, "trials", "001-b1-default", "events.jsonl")); c.code != 0 && !slices.Contains(kinds, rundir.EventActHealed) {
				t.Errorf("the fault was not healed: %v", kinds)
			}
		})
	}
}

// TestKilledWhileKindStarts kills a storm and its supervisor as soon as Docker has
// something of theirs, while more is being made: a cleanup finds that too.
func TestKilledWhileKindStarts(t *testing.T) {
	s := newStage(t)
	before := inDocker(t)
	p := s.start(t, "start", onKind)
	until(t, "the first of it in Docker", func() bool { return !slices.Equal(inDocker(t), before) })
	supervisor := p.supervisor()
	kill(t, p.Process.Pid)
	kill(t, supervisor)
	until(t, "the supervisor's end", func() bool { st, err := procfs.ReadStat(supervisor); return err != nil || st.Dead() })
	if _, sig := p.end(); sig != syscall.SIGKILL {
		t.Errorf("it ended by signal %d:\n%s", sig, p.said())
	}
	s.run(t, exitPass, "cleanup")
	if after := inDocker(t); !slices.Equal(after, before) {
		t.Errorf("in Docker there were %v, and now %v; storm said:\n%s", before, after, p.said())
	}
	if left := p.left(); len(left) > 0 {
		t.Errorf("left behind:\n%s\nstorm said:\n%s", strings.Join(left, "\n"), p.said())
	}
	if got := s.run(t, exitPass, "cleanup"); got != "Nothing was left behind.\n" {
		t.Errorf("after all, cleanup says %q", got)
	}
}

// inDocker lists the containers, networks and volumes that there are.
func inDocker(t *testing.T) (all []string) {
	t.Helper()
	for _, what := range [][]string{{"ps", "-aq", "--no-trunc"}, {"network", "ls", "-q", "--no-trunc"}, {"volume", "ls", "-q"}} {
		lines, err := docker.Lines(t.Context(), what...)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, lines...)
	}
	slices.Sort(all)
	return all
}
