package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/golden"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/scenarios/runner"
)

// reel is a run as its progress tells it: steps at times since the start.
type reel struct {
	at time.Duration
	p  runner.Progress
}

var epoch = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

// film is what a run of two trials says.
func film() []reel {
	build := func(at time.Duration, text string, done, total int) reel {
		return reel{at, runner.Progress{Stage: runner.StageCluster, Component: "etcd", Text: text, Done: done, Total: total, Trials: 2}}
	}
	cluster := func(at time.Duration, component, text string) reel {
		return reel{at, runner.Progress{Stage: runner.StageCluster, Component: component, Text: text, Trials: 2}}
	}
	trial := func(at time.Duration, n int, p runner.Progress) reel {
		p.Trial, p.Trials, p.Began = n, 2, epoch.Add(at)
		profile := []string{"stock", "fast-election"}[n-1]
		p.Planned = rundir.Planned{ID: fmt.Sprintf("%03d-b1-%s", n, profile), Block: 1, Profile: profile}
		return reel{at, p}
	}
	step := func(at time.Duration, n int, phase, act string, lasts time.Duration, live runner.Live) reel {
		return trial(at, n, runner.Progress{Stage: runner.StageTrial, Phase: phase, Act: act, Lasts: lasts, Live: live})
	}
	took := func(ms int64) *runner.Latency {
		h := rundir.NewHist()
		_ = h.RecordValue(ms * 1000)
		text, _ := rundir.EncodeHist(h)
		return runner.LatencyOf(text)
	}
	s := time.Second
	out := []reel{
		cluster(0, "", "starting the cluster"),
		build(0, "resolving the modules of etcd v3.6.16", 0, 0),
		build(s, "downloading the modules of etcd v3.6.16", 1, 0),
		build(2*s, "downloading the modules of etcd v3.6.16", 112, 0),
		build(3*s, "building etcd v3.6.16, packages", 0, 599),
		build(40*s, "building etcd v3.6.16, packages", 420, 599),
		build(45*s, "linking etcd v3.6.16", 0, 0),
		cluster(50*s, "etcd-main-0", "starting"),
		cluster(51*s, "etcd-main-0", "ready after 0.80s"),
		cluster(58*s, "", "the cluster is up after 58.1s"),
	}
	for n, at := range map[int]time.Duration{1: 58 * s, 2: 80 * s} {
		out = append(out,
			trial(at, n, runner.Progress{Stage: runner.StageReset, Text: "back to the golden copy"}),
			trial(at+s/2, n, runner.Progress{Stage: runner.StageReset, Phase: "filling the cluster: base, 1,200 of 4,000"}),
			trial(at+3*s/4, n, runner.Progress{Stage: runner.StageReset, Text: "back to the golden copy"}),
			cluster(at+s, "etcd-main-0", "starting"),
			cluster(at+2*s, "", "back at the golden copy in 2.00s"),
			step(at+3*s, n, scenarios.PhaseSteady, "", 6*s, runner.Live{}),
			step(at+4*s, n, scenarios.PhaseSteady, "", 6*s, runner.Live{Rate: 312.4, Latency: took(44)}),
			step(at+9*s, n, scenarios.PhaseFault, "leaderKill", 4*s, runner.Live{Rate: 301}),
			step(at+10*s, n, scenarios.PhaseFault, "leaderKill", 4*s, runner.Live{Rate: 12, Errors: 40, Latency: took(2310)}),
			trial(at+12*s, n, runner.Progress{Stage: runner.StageTrial, Phase: scenarios.PhaseOperation, Act: "defrag", InForce: []string{"quotaBreach"}}),
			step(at+13*s, n, scenarios.PhaseRecovery, "", 60*s, runner.Live{Rate: 1320, Errors: 1, Latency: took(6)}),
		)
	}
	ended := func(at time.Duration, n int, problem string) reel {
		return trial(at, n, runner.Progress{Stage: runner.StageTrial, Phase: scenarios.PhaseRecovery, Ended: true, Problem: problem})
	}
	out = append(out, ended(79*s, 1, ""), ended(102*s, 2, "the load generator: storm sent the requests of churn late: p99 of the send lag is 203.78ms, the bound is 50ms"))
	out = append(out, reel{102 * s, runner.Progress{Stage: runner.StageFinish, Text: "ending the cluster", Trials: 2}})
	return out
}

// TestNarration pins what a run says: the lines of a log, and the bars at 80
// columns after each step.
func TestNarration(t *testing.T) {
	var now time.Time
	n := newNarrator(func() time.Time { return now }, []time.Duration{20 * time.Second, 20 * time.Second})
	var log, drawn strings.Builder
	said := map[string]int{}
	for _, r := range inOrder(film()) {
		now = epoch.Add(r.at)
		if line := n.take(r.p); line != "" {
			fmt.Fprintf(&log, "%s  %s\n", clock(r.at), line)
			said[line]++
		}
		now = now.Add(500 * time.Millisecond)
		fmt.Fprintf(&drawn, "%s\n", n.stepLine(80, int(r.at/time.Second)))
		if n.trial > 0 {
			fmt.Fprintf(&drawn, "%s\n", n.trialsLine(80, 0))
		}
		fmt.Fprintf(&drawn, "(%s)\n", n.heartbeat())
	}
	for line, times := range said {
		if times > 1 {
			t.Errorf("said %d times: %s", times, line)
		}
	}
	for line := range strings.Lines(drawn.String()) {
		if !strings.HasPrefix(line, "(") && len([]rune(strings.TrimSuffix(line, "\n"))) > 80 {
			t.Errorf("wider than 80 columns: %q", line)
		}
	}
	golden.Check(t, "narration-log", log.String())
	golden.Check(t, "narration-bars", drawn.String())
}

func TestBarsOfEveryWidth(t *testing.T) {
	for columns := range 200 {
		for _, share := range []float64{-1, 0, 0.5, 0.999, 1, 2} {
			for beat := range 40 {
				line := barLine(columns, "013-tour-repair  operation restore-the-main-shard", share, "", "12345678901234", beat)
				with := barLine(columns, "013-tour-repair  operation restore-the-main-shard", share, "12345/s p99 999ms 12345 err", "12345678901234", beat)
				if n := max(len([]rune(line)), len([]rune(with))); n > max(columns, 1) {
					t.Fatalf("%d columns, and %d asked for: %q, %q", n, columns, line, with)
				}
			}
		}
	}
}

// The rest takes as long, against what was expected, as the trials before.
func TestETA(t *testing.T) {
	now := epoch
	n := newNarrator(func() time.Time { return now }, []time.Duration{10 * time.Second, 10 * time.Second, 40 * time.Second})
	trial := func(i int, ended bool) {
		n.take(runner.Progress{Stage: runner.StageTrial, Trial: i, Trials: 3, Phase: scenarios.PhaseSteady, Ended: ended})
	}
	for _, c := range []struct {
		after   time.Duration
		trial   int
		ended   bool
		eta     time.Duration
		overall float64
	}{
		{0, 1, false, 60 * time.Second, 0},
		{5 * time.Second, 1, false, 55 * time.Second, 5.0 / 60},
		{20 * time.Second, 1, false, 50 * time.Second, 10.0 / 60}, // it takes longer: its own part is over
		{20 * time.Second, 1, true, 100 * time.Second, 10.0 / 60}, // twice what was expected, and so the rest
		{25 * time.Second, 2, false, 90 * time.Second, 15.0 / 60},
	} {
		if c.trial == 2 && n.trial == 1 {
			now = epoch.Add(20 * time.Second)
			trial(2, false)
		}
		now = epoch.Add(c.after)
		trial(c.trial, c.ended)
		if got := n.eta(); got != c.eta {
			t.Errorf("after %s the ETA is %s, want %s", c.after, got, c.eta)
		}
		if got := n.overall(); got != c.overall {
			t.Errorf("after %s %.3f is done, want %.3f", c.after, got, c.overall)
		}
	}
}

// inOrder sorts a film by time; what is at the same time stays in its order.
func inOrder(film []reel) []reel {
	for i := range film {
		for j := i; j > 0 && film[j].at < film[j-1].at; j-- {
			film[j], film[j-1] = film[j-1], film[j]
		}
	}
	return film
}
