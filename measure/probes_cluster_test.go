//go:build cluster

package measure

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
)

// observe puts keys on connections of its own, one new connection each time,
// and returns when the first put was acknowledged: it knows nothing of probes.
func observe(ctx context.Context, t *testing.T, clock *Clock, target EtcdTarget) int64 {
	for ctx.Err() == nil {
		c, err := dialEtcd(target, NewClock())
		if err != nil {
			t.Error(err)
			return 0
		}
		once, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		_, err = c.put(once, "/observer", "x")
		now := clock.Now()
		cancel()
		c.close()
		if err == nil {
			return now
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Error("the observer never saw the member back")
	return 0
}

func TestRecoveryOfAKilledAndRestartedEtcd(t *testing.T) {
	m := startEtcd(t, 1)[0]
	clock := NewClock()
	rec := NewRecorder(clock, func(rundir.Window) {})
	defer rec.Close()
	var mu sync.Mutex
	var written []rundir.Probe
	p, err := NewProbes(ProbeOptions{
		Clock: clock, Recorder: rec, RunID: "t", Etcd: []EtcdTarget{m.target()},
		Sink: func(one rundir.Probe) { mu.Lock(); defer mu.Unlock(); written = append(written, one) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.Run(run) })
	defer wg.Wait()
	defer stop()

	p.Near(true)
	if err := p.Recovered(ctx, Disturbance{}); err != nil { // it is well before
		t.Fatal(err)
	}
	d := Disturbance{Intended: clock.Now(), Down: []string{m.name}}
	m.kill()
	d.Injected = clock.Now()
	down := p.waitFailures(ctx, t, d, 50)
	restarted := clock.Now()
	m.start()
	observed := observe(ctx, t, clock, m.target())
	d.Down = nil // from the heal on it is expected back
	if err := p.Recovered(ctx, d); err != nil {
		t.Fatal(err)
	}
	known := clock.Now()
	p.Near(false)
	stop()
	wg.Wait()

	d.Until = known
	got := p.Recovery(d)
	if len(got) != 2 {
		t.Fatalf("%d recoveries, want those of reads and writes", len(got))
	}
	for _, r := range got {
		back := d.Intended + r.RTO
		t.Logf("%s: RTO %v, the observer %v, started again %v, longest gap %v, %d of %d probes failed", r.Op,
			time.Duration(r.RTO), time.Duration(observed-d.Intended), time.Duration(restarted-d.Intended), time.Duration(r.Longest), r.Failed, r.Probes)
		switch {
		case r.Censored || !r.Worst:
			t.Errorf("%s: %+v", r.Op, r)
		case back < restarted || back > known:
			t.Errorf("%s: recovered at %v, but it was started again at %v and known to be back at %v", r.Op, back, restarted, known)
		case back-observed > int64(time.Second) || observed-back > int64(time.Second):
			t.Errorf("%s: recovered at %v, and the observer saw it at %v", r.Op, time.Duration(back), time.Duration(observed))
		case r.Failed < down || r.Longest < restarted-d.Injected:
			t.Errorf("%s: %d failed and the longest gap is %v, with %d failures seen and %v down", r.Op, r.Failed, r.Longest, down, restarted-d.Injected)
		}
	}
	// What went to the file gives the same figures as what was kept in memory.
	mu.Lock()
	defer mu.Unlock()
	again := Recovery(written, d)
	for i := range again {
		if again[i].RTO != got[i].RTO || again[i].Failed != got[i].Failed {
			t.Errorf("from the file: %+v\nfrom memory: %+v", again[i], got[i])
		}
	}
}

// waitFailures returns when each series has seen so many failures.
func (p *Probes) waitFailures(ctx context.Context, t *testing.T, d Disturbance, n int) int {
	t.Helper()
	for {
		least, all := n, p.Recovery(d)
		for _, r := range all {
			least = min(least, r.Failed)
		}
		if len(all) == len(p.series) && least >= n {
			return least
		}
		if ctx.Err() != nil {
			t.Fatal("the probes did not notice that the member is gone")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A paused member neither answers nor breaks its connection: probes of it time
// out, those of the others go on once there is a leader.
func TestRecoveryOfAPausedLeader(t *testing.T) {
	members := startEtcd(t, 3)
	clock := NewClock()
	rec := NewRecorder(clock, func(rundir.Window) {})
	defer rec.Close()
	var targets []EtcdTarget
	for _, m := range members {
		targets = append(targets, m.target())
	}
	p, err := NewProbes(ProbeOptions{Clock: clock, Recorder: rec, RunID: "t", Etcd: targets, Sink: func(rundir.Probe) {}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { _ = p.Run(run) })
	defer wg.Wait()
	defer stop()
	p.Near(true)
	if err := p.Recovered(ctx, Disturbance{}); err != nil {
		t.Fatal(err)
	}

	leader := leaderOf(ctx, t, members)
	d := Disturbance{Intended: clock.Now(), Down: []string{leader.name}}
	leader.signal(stopSignal)
	d.Injected = clock.Now()
	if err := p.Recovered(ctx, d); err != nil {
		t.Fatal(err)
	}
	before := clock.Now()
	d.Until = before
	for _, r := range p.Recovery(d) {
		t.Logf("%s %s: %+v", r.Target, r.Op, r)
		if down := r.Target == leader.name; r.Censored != down {
			t.Errorf("%s %s: censored %v, taken down %v", r.Target, r.Op, r.Censored, down)
		} else if down && r.Worst {
			t.Errorf("%s was taken down, and counts as the worst survivor", r.Target)
		}
	}
	leader.signal(continueSignal)
	d.Down, d.Until = nil, 0
	if err := p.Recovered(ctx, d); err != nil {
		t.Fatal(err)
	}
	for _, r := range p.Recovery(d) {
		if r.Target == leader.name && (r.Censored || d.Intended+r.RTO < before) {
			t.Errorf("%s %s: %+v, but it was paused until %v", r.Target, r.Op, r, before)
		}
	}
}
