//go:build cluster

package measure

import (
	"context"
	"sync"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/storm-harness/storm/internal/rundir"
)

// witness runs a journal over the members until stop is called.
func witness(t *testing.T, members []*member) (j *Journal, acked func() int, stop func()) {
	t.Helper()
	clock := NewClock()
	rec := NewRecorder(clock, func(rundir.Window) {})
	t.Cleanup(rec.Close)
	var targets []EtcdTarget
	for _, m := range members {
		targets = append(targets, m.target())
	}
	var mu sync.Mutex
	n := 0
	j, err := NewJournal(JournalOptions{Clock: clock, Recorder: rec, RunID: "r1", Etcd: targets, Rate: 100, Sink: func(w rundir.Write) {
		mu.Lock()
		defer mu.Unlock()
		if w.Err == "" {
			n++
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = j.Run(ctx) })
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return j, func() int { mu.Lock(); defer mu.Unlock(); return n }, stop
}

// until returns when the condition holds.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never seen: %s", what)
		}
	}
}

func TestAuditFindsADeletedKey(t *testing.T) {
	members := startEtcd(t, 1)
	j, acked, stop := witness(t, members)
	until(t, "50 acknowledged writes", func() bool { return acked() >= 50 })
	stop()

	whole, err := j.Audit(t.Context(), "nothing", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := whole[0]; len(whole) != 1 || a.Lost != 0 || a.Found != acked() || a.Acked != acked() {
		t.Fatalf("%d acknowledged, account %+v", acked(), whole)
	}

	c, err := dialEtcd(members[0].target(), NewClock())
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	var resp pb.DeleteRangeResponse
	if err := c.calls.call(t.Context(), "/etcdserverpb.KV/DeleteRange", &pb.DeleteRangeRequest{Key: []byte("/storm/witness/r1/main/0000000007")}, &resp); err != nil || resp.Deleted != 1 {
		t.Fatalf("delete a key: %v, %v", resp, err)
	}
	missing, err := j.Audit(t.Context(), "deletion", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := missing[0]; a.Lost != 1 || a.Found != acked()-1 || len(a.Examples) != 1 || a.After != "deletion" {
		t.Errorf("account after the deletion: %+v", a)
	}

	// A key that was written over is not the write that was acknowledged.
	if _, err := c.put(t.Context(), "/storm/witness/r1/main/0000000008", "other"); err != nil {
		t.Fatal(err)
	}
	over, err := j.Audit(t.Context(), "overwriting", nil)
	if err != nil {
		t.Fatal(err)
	}
	if a := over[0]; a.Lost != 2 {
		t.Errorf("account after the overwriting: %+v", a)
	}
}

func TestNoAcknowledgedWriteIsLostWithTheLeader(t *testing.T) {
	members := startEtcd(t, 3)
	j, acked, stop := witness(t, members)
	until(t, "100 acknowledged writes", func() bool { return acked() >= 100 })
	leader := leaderOf(t.Context(), t, members)
	leader.kill()
	before := acked()
	until(t, "the witness writes through another member", func() bool { return acked() >= before+100 })
	stop()
	got, err := j.Audit(t.Context(), "leaderKill", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", got)
	if a := got[0]; a.Lost != 0 || a.Mismatch != 0 || a.Found != acked() {
		t.Errorf("%d acknowledged, account %+v", acked(), a)
	}
}

func TestAnAuditThatCannotReadIsAnError(t *testing.T) {
	members := startEtcd(t, 1)
	j, acked, stop := witness(t, members)
	until(t, "an acknowledged write", func() bool { return acked() > 0 })
	stop()
	members[0].kill()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if got, err := j.Audit(ctx, "kill", nil); err == nil || len(got) != 0 {
		t.Errorf("account %+v of a member that is gone, error %v", got, err)
	}
}
