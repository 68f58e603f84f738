//go:build kind

package main

import (
	"path/filepath"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// TestQuickstart runs on kind what a newcomer runs first, in one block: a leader
// that is killed, a full quota and its repair, backup and restore, under load. It is
// under a quarter of it: with kubelets beside it the whole fills two processors, and
// then it is the machine's mood whether an API server answers in time.
func TestQuickstart(t *testing.T) {
	s := newStage(t)
	dir := filepath.Join(s.dir, "run")
	r := s.wholly(t, "quickstart", dir, "--seed", "1", "--provider", "kind", "--set", "blocks=1", "--try",
		"--set", "workloads.fleet.nodes.count=50", "--set", "workloads.churn.eventChurn.rate=25/s")
	if r.Provider != "kind" || r.Run.Planned != 3 || len(r.Trials) != 3 {
		t.Fatalf("%d of %d trials on %s", len(r.Trials), r.Run.Planned, r.Provider)
	}
	done := map[string]int{}
	for _, trial := range r.Trials {
		for _, reason := range trial.Reasons {
			// How late a busy machine lets storm send is no matter of this test.
			if !rundir.OfTheMachine(reason) {
				t.Errorf("%s is %s: %s", trial.ID, trial.State, reason)
			}
		}
		for _, a := range trial.Acts {
			t.Logf("%s: %s: %s | %s", trial.ID, a.Name, a.Proof, a.HealedBy)
			if !a.Proven.Is() {
				t.Errorf("%s: %s was not proven: %s", trial.ID, a.Name, a.Error)
			}
			done[a.Kind]++
		}
	}
	for _, kind := range []string{"leaderKill", "quotaBreach", "compact", "defrag", "disarm", "backup", "restore"} {
		if done[kind] == 0 {
			t.Errorf("%s was not done: %v", kind, done)
		}
	}
	// Nothing that was acknowledged is gone, but for what a restore took back: by the
	// trials' own accounts, whatever a busy machine makes of their validity.
	if accounts(t, dir) == 0 {
		t.Error("the restore took back no write")
	}
	judged := 0
	for _, g := range r.Gates {
		if g.Metric != "writes.lost" && g.Metric != "restore.mismatch" {
			continue
		}
		if judged++; g.Verdict != report.Pass && g.Verdict != report.Invalid {
			t.Errorf("%s: %s", g.Title, g.Reason)
		}
	}
	if judged != 3 {
		t.Errorf("%d gates on acknowledged writes", judged)
	}
}
