//go:build cluster || kind

package faults

import (
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/measure"
)

// run takes an act through the wrapper, as a trial does.
func run(t *testing.T, c clusters.Cluster, kind string, act acts.Act, hold time.Duration) *rundir.Act {
	t.Helper()
	env := &acts.Env{Cluster: c, Clock: measure.NewClock(), Dir: t.TempDir(), RunID: "test", Backups: map[string]acts.Backup{}}
	got, open := acts.Run(t.Context(), env, acts.Step{Name: kind, Kind: kind, Sort: acts.SortFault, Act: act, For: hold, Heal: acts.HealAuto}, acts.DefaultBounds())
	if open != nil {
		t.Errorf("%s: still in force", kind)
	}
	t.Logf("%s: %s | %s | %s", kind, got.Proof, got.HealedBy, got.Error)
	return got
}

// bite is a fault of a test, and words that its proof must have.
type bite struct {
	kind  string
	act   acts.Act
	proof []string
}

// TestEveryFaultBitesAndHeals runs each fault on one cluster, one after the
// other: the cluster must be whole in between, or the next is not started.
func TestEveryFaultBitesAndHeals(t *testing.T) {
	spec := clusters.Spec{Etcd: clusters.Etcd{Members: 3, Quota: 32 << 20, Shards: []clusters.Shard{{Name: "events", Resources: []string{"/events"}}}}}
	oneByOne(t, spec, []bite{
		{"leaderKill", &LeaderKill{Shard: "main"}, []string{"is gone (signal: killed)", "the others follow"}},
		{"leaderPause", &LeaderPause{Shard: "main"}, []string{"does not answer", "the others follow"}},
		{"memberKill", &MemberKill{Shard: "main", Member: "follower"}, []string{"is gone", "goes on leading"}},
		{"memberKill", &MemberKill{Shard: "events", Member: "0"}, []string{"is gone", "no quorum without it"}},
		{"partition", &Partition{Shard: "main", Isolate: "leader", Direction: "both"}, []string{"packets dropped on 4 links", "the others follow"}},
		{"partition", &Partition{Shard: "main", Isolate: "follower", Direction: "in"}, []string{"packets dropped on 2 links", "says that it has no leader"}},
		{"linkDelay", &LinkDelay{Shard: "main", Between: "leader", Delay: unit.Duration(30 * time.Millisecond)}, []string{"a linearizable read at the leader takes"}},
		{"quotaBreach", &QuotaBreach{Shard: "main"}, []string{"the alarm list has NOSPACE", "database space exceeded"}},
	})
}

// TestFaultsOnStackedMembers has each apiserver depend on one member alone, beside it.
func TestFaultsOnStackedMembers(t *testing.T) {
	three := 3
	spec := clusters.Spec{
		Kubernetes: clusters.Kubernetes{APIServer: clusters.Deployment{Replicas: &three}},
		Etcd:       clusters.Etcd{Members: three, Topology: clusters.Stacked, Quota: 32 << 20},
	}
	oneByOne(t, spec, []bite{
		{"leaderKill", &LeaderKill{Shard: "main"}, []string{"is gone (signal: killed)", "the others follow"}},
		{"leaderPause", &LeaderPause{Shard: "main"}, []string{"does not answer", "the others follow"}},
		{"memberKill", &MemberKill{Shard: "main", Member: "follower"}, []string{"is gone", "goes on leading"}},
		{"partition", &Partition{Shard: "main", Isolate: "leader", Direction: "both"}, []string{"packets dropped on 4 links", "the others follow"}},
		{"linkDelay", &LinkDelay{Shard: "main", Between: "leader", Delay: unit.Duration(30 * time.Millisecond)}, []string{"a linearizable read at the leader takes"}},
		{"quotaBreach", &QuotaBreach{Shard: "main"}, []string{"the alarm list has NOSPACE", "database space exceeded"}},
	})
}

// oneByOne has each fault bite and heal on a cluster of that spec.
func oneByOne(t *testing.T, spec clusters.Spec, bites []bite) {
	c := start(t, spec)
	for _, f := range bites {
		whole := t.Run(f.kind, func(t *testing.T) {
			needsLinks := len(f.act.Needs()) > 0 && f.act.Needs()[0] == clusters.CanLink
			if why := noLinks(c); needsLinks && why != "" {
				t.Skipf("not on this machine: %s", why)
			}
			bitesAndHeals(t, c, f.kind, f.act, f.proof)
		})
		if !whole {
			return
		}
	}
}

func bitesAndHeals(t *testing.T, c clusters.Cluster, kind string, act acts.Act, proof []string) {
	got := run(t, c, kind, act, 500*time.Millisecond)
	if got.Error != "" || got.Proven == 0 || got.Healed == 0 || got.HealedBy == "" {
		t.Fatalf("%s: %+v", kind, got)
	}
	for _, words := range proof {
		if !strings.Contains(got.Proof, words) {
			t.Errorf("%s: the proof is %q, want it to say %q", kind, got.Proof, words)
		}
	}
	if got.Injected < got.Intended || got.Proven < got.Injected || got.Healed < got.Healing {
		t.Errorf("%s: the times are out of order: %+v", kind, got)
	}
}

// TestWithoutEffectThereIsNoPass fills less than the quota: no write is
// refused, so the act must say that it failed, and the cluster must be whole.
func TestWithoutEffectThereIsNoPass(t *testing.T) {
	c := start(t, clusters.Spec{})
	got := run(t, c, "quotaBreach", &QuotaBreach{Shard: "main", AtMost: 2 << 20}, 0)
	if !strings.Contains(got.Error, "no write was refused: set a smaller quota") || got.Proven != 0 {
		t.Errorf("a quota that was not breached: %+v", got)
	}
	if got.HealSort != "abort" || got.Healed == 0 {
		t.Errorf("what was written was not taken back: %+v", got)
	}
	got = run(t, c, "leaderPause", &LeaderPause{Shard: "elsewhere"}, 0)
	if !strings.Contains(got.Error, `could not be aimed: there is no shard "elsewhere"`) {
		t.Errorf("a shard that is not there: %+v", got)
	}
}
