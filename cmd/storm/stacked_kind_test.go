//go:build kind

package main

import (
	"path/filepath"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// stackedRepair is what the quickstart's tour does, with the member in its node.
const stackedRepair = `apiVersion: storm/v1alpha1
kind: Scenario
metadata: {name: stacked-repair}
spec:
  description: What operators do to a full database, on a stacked member.
  cluster:
    provider: kind
    etcd: {topology: stacked, quota: 64MiB}
  profiles: [{name: stock}]
  blocks: 1
  warmupBlock: false
  workloads:
    - {name: churn, eventChurn: {rate: 20/s}}
  measure:
    probes: {interval: 200ms}
    witness: {rate: 5/s}
  timeline:
    - warmup: 2s
    - fault: {quotaBreach: {shard: main}, heal: timeline}
    - operation: {compact: {shard: main}}
    - operation: {defrag: {shard: main}}
    - operation: {disarm: {shard: main}}
    - recovery: {atMost: 90s}
    - operation: {backup: {}}
    - steady: 3s
    - operation: {restore: {}}
    - recovery: {atMost: 90s}
  gates:
    - {metric: writes.lost, max: 0}
    - {metric: restore.mismatch, max: 0}
`

// TestStackedRepair fills a stacked member, repairs it by the timeline, backs it up
// and restores it.
func TestStackedRepair(t *testing.T) {
	s := newStage(t)
	dir := filepath.Join(s.dir, "run")
	r := s.wholly(t, s.file(t, "stacked.yaml", stackedRepair), dir, "--seed", "1", "--try")
	if len(r.Trials) != 1 {
		t.Fatalf("%d trials", len(r.Trials))
	}
	trial := r.Trials[0]
	for _, reason := range trial.Reasons {
		// How late a busy machine lets storm send is no matter of this test.
		if !rundir.OfTheMachine(reason) {
			t.Errorf("it is %s: %s", trial.State, reason)
		}
	}
	for _, a := range trial.Acts {
		t.Logf("%s: %s | %s", a.Name, a.Proof, a.HealedBy)
		if !a.Proven.Is() {
			t.Errorf("%s was not proven: %s", a.Name, a.Error)
		}
		if a.Kind == "quotaBreach" && a.HealSort != "timeline" {
			t.Errorf("%s was healed by %s, not by the operations", a.Name, a.HealSort)
		}
	}
	if n := len(trial.Acts); n != 6 {
		t.Errorf("%d acts", n)
	}
	for _, g := range r.Gates {
		if g.Verdict != report.Pass && (g.Verdict != report.Invalid || trial.State == report.TrialValid) {
			t.Errorf("%s: %s: %s", g.Title, g.Verdict, g.Reason)
		}
	}
	if accounts(t, dir) == 0 {
		t.Error("the restore took back no write")
	}
	if trial.State == report.TrialValid && (len(r.RPO) != 1 || r.RPO[0].Restored == 0) {
		t.Errorf("the restore took back no write: %+v", r.RPO)
	}
}
