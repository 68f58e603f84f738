//go:build cluster || kind

package runner_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/storm-harness/storm/clusters/doctor"
	"github.com/storm-harness/storm/faults"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/operations"
	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/scenarios/runner"
	"github.com/storm-harness/storm/workloads"
)

// play runs a scenario of testdata on a real cluster of the provider that the
// tests were built for, and returns the trials' outcomes by id.
func play(t *testing.T, file string) map[string]rundir.Trial {
	t.Helper()
	return outcomes(t, playDir(t, file))
}

// outcomes are what the trials of a run directory came to.
func outcomes(t *testing.T, dir *rundir.Dir) map[string]rundir.Trial {
	t.Helper()
	out := map[string]rundir.Trial{}
	for _, ts := range dir.Trials() {
		records, err := dir.Records(ts.ID)
		if err != nil {
			t.Fatal(err)
		}
		if out[ts.ID], err = records.Trial(); err != nil {
			t.Fatal(err)
		}
		hasBaseline(t, records)
	}
	return out
}

// playDir is play, and returns the run directory.
func playDir(t *testing.T, file string) *rundir.Dir {
	t.Helper()
	s, err := scenarios.LoadFile(filepath.Join("testdata", file), scenarios.Kinds{Workloads: workloads.Kinds, Faults: faults.Kinds, Operations: operations.Kinds}, scenarios.Changes{Sets: sets})
	if err != nil {
		t.Fatal(err)
	}
	up, id := provider(t)
	path := filepath.Join(t.TempDir(), "run")
	if keep := os.Getenv("STORM_TEST_KEEP"); keep != "" {
		path = filepath.Join(keep, t.Name())
	}
	dir, err := runner.Run(t.Context(), runner.Options{
		Scenario: s, Up: up, Dir: path, RunID: id, Seed: 1, Command: []string{"storm", "run", file}, Version: "test", Host: doctor.Host(t.TempDir()),
		Observe: func(p runner.Progress) {
			if p.Live.Rate == 0 {
				t.Logf("%s %s %s %s %s %s %s", time.Now().Format("05.000"), p.Stage, p.Planned.ID, p.Phase, p.Act, p.Component, p.Text)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// hasBaseline holds a trial to having looked at every component before its
// loads were prepared.
func hasBaseline(t *testing.T, records rundir.Records) {
	t.Helper()
	began := int64(-1)
	for e, err := range records.Events() {
		if err == nil && e.Kind == rundir.EventLoadBegin {
			began = e.At
		}
	}
	if began < 0 {
		t.Fatalf("%s: no event says when the loads began", records.Path())
	}
	scraped := map[string]bool{} // and whether it was before
	for s, err := range records.Scrapes() {
		if err == nil {
			scraped[s.Component] = scraped[s.Component] || s.Err == "" && s.At <= began
		}
	}
	for component, before := range scraped {
		if !before {
			t.Errorf("%s: %s was not scraped before the loads began", records.Path(), component)
		}
	}
	if len(scraped) < 4 {
		t.Errorf("%s: only %d components were scraped", records.Path(), len(scraped))
	}
}

func TestLeaderKillIsSeenFromEveryLayer(t *testing.T) {
	trials := play(t, "leader-kill.yaml")
	for id, trial := range trials {
		for _, reason := range trial.Invalid {
			// How late a busy machine lets storm send is no matter of this test.
			if !rundir.OfTheMachine(reason) {
				t.Errorf("%s is invalid: %s", id, reason)
			}
		}
		if len(trial.Acts) != 1 {
			t.Fatalf("%s: %d acts", id, len(trial.Acts))
		}
		if trial.ResetHow == "" || trial.Reset == 0 {
			t.Errorf("%s: reset in %s, %q", id, trial.Reset, trial.ResetHow)
		}
		act := trial.Acts[0]
		t.Logf("%s: %s | %s", id, act.Proof, act.HealedBy)
		if act.Proven == 0 || act.Healed == 0 {
			t.Errorf("%s: not proven or not healed: %+v", id, act)
		}
		worst := map[string]rundir.Recovery{}
		for _, r := range act.Recovery {
			t.Logf("%s: %-4s %-5s %-8s %-18s worst %-5v rto %-12s failed %d of %d", id, r.Layer, r.Op, r.Shard, r.Target, r.Worst, time.Duration(r.RTO), r.Failed, r.Probes)
			if r.Worst {
				worst[r.Layer+" "+r.Op+" "+r.Shard] = r
			}
		}
		for _, want := range []string{"etcd read main", "etcd write main", "api read ", "api write "} {
			r, ok := worst[want]
			if !ok || r.Censored || r.Probes == 0 {
				t.Errorf("%s: no recovery of %q: %+v", id, want, r)
			}
		}
		if r := worst["etcd write main"]; r.RTO < int64(50*time.Millisecond) {
			t.Errorf("%s: etcd wrote again %s after its leader was killed: no election is that fast, the fault did not bite", id, time.Duration(r.RTO))
		}
		for _, a := range trial.Journal {
			t.Logf("%s: after %s via %s %s: acked %d found %d lost %d unknown %d", id, a.After, a.Via, a.Shard, a.Acked, a.Found, a.Lost, a.Unknown)
			if a.Acked == 0 || a.Lost != 0 || a.Mismatch != 0 {
				t.Errorf("%s: the account is %+v", id, a)
			}
		}
		if len(trial.Journal) == 0 {
			t.Errorf("%s: nothing was read back", id)
		}
	}
	if len(trials) != 1 {
		t.Errorf("%d trials ended, want 1", len(trials))
	}
}

func TestQuotaBreachRepairBackupRestore(t *testing.T) {
	if testing.Short() {
		t.Skip("the quickstart does the same on kind")
	}
	trials := play(t, "repair.yaml")
	for id, trial := range trials {
		for _, reason := range trial.Invalid {
			// How late a busy machine lets storm send is no matter of this test.
			if !rundir.OfTheMachine(reason) {
				t.Errorf("%s is invalid: %s", id, reason)
			}
		}
		names := map[string]rundir.Act{}
		for _, a := range trial.Acts {
			t.Logf("%s: %s: %s | %s", id, a.Name, a.Proof, a.HealedBy)
			if a.Proven == 0 {
				t.Errorf("%s: %s was not proven: %s", id, a.Name, a.Error)
			}
			names[a.Name] = a
			for _, r := range a.Recovery {
				t.Logf("%s: %-4s %-5s %-8s %-18s worst %-5v rto %-12s failed %d of %d", id, r.Layer, r.Op, r.Shard, r.Target, r.Worst, time.Duration(r.RTO), r.Failed, r.Probes)
			}
		}
		if h := names["quotaBreach"].HealSort; h != "timeline" {
			t.Errorf("%s: the quota breach was healed by %q, want the timeline", id, h)
		}
		restored := 0
		for _, a := range trial.Journal {
			t.Logf("%s: %+v", id, a)
			restored += a.Restored
			if a.Lost != 0 || a.Mismatch != 0 {
				t.Errorf("%s: the account is %+v", id, a)
			}
		}
		if restored == 0 {
			t.Errorf("%s: the restore took nothing back, though writes were acknowledged after the snapshot", id)
		}
	}
}
