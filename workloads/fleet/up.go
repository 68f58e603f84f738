package fleet

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/storm-harness/storm/internal/priority"
	"github.com/storm-harness/storm/workloads/reflector"
)

// Up brings every node up as it comes in production: its kubelet registers it and
// starts at once, or the controllers would find the first nodes dead before the last
// have started. It returns when all watches have seen everything that was there, and
// every node has its CSINode and its lease and has told its status. The heartbeats go
// on until the fleet is closed. progress is told how many of how many watches are up;
// it may be nil.
func (f *Fleet) Up(ctx context.Context, progress func(done, total int)) error {
	if err := f.meet(ctx); err != nil {
		return err
	}
	background, end := context.WithCancel(context.WithoutCancel(ctx))
	f.end = end
	f.alive.Go(func() { f.agenda.Run(background) })
	f.alive.Go(func() { f.cycle(background, 1, f.cfg.Heartbeat, f.renew, f.series.leaseUpdate, f.series.renewal) })
	f.alive.Go(func() { f.statuses(background) })
	if f.cfg.PodLatency {
		f.observer = newObserver(f)
		f.observer.reflector.Start(f.env.Clock.Now())
	}
	joining, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	joined := make(chan error, 1)
	f.alive.Go(func() {
		joined <- f.each(joining, func(ctx context.Context, n *node) error { return f.join(ctx, background, n) })
	})
	total := len(f.nodes) * len(f.kinds)
	if err := f.await(joined, giveUp, total, progress); err != nil {
		return err
	}
	if err := reflector.Await(ctx, total, "watches", f.came, progress); err != nil {
		return err
	}
	if err := reflector.Await(ctx, len(f.nodes), "leases", func() int { return int(f.leased.Load()) }, nil); err != nil {
		return err
	}
	if err := reflector.Await(ctx, len(f.nodes), "first statuses", func() int { return int(f.told.Load()) }, nil); err != nil {
		if ctx.Err() != nil {
			return err
		}
		f.env.Log.Warn("nodes come up without having told their statuses", "workload", f.env.Workload, "error", err)
	}
	// What the coming up has left is more than what the watches need from here on.
	debug.FreeOSMemory()
	if err := priority.ForgetStart(); err != nil {
		f.env.Log.Debug("what storm's start has read stays in its memory", "error", err)
	}
	f.takesCues(true)
	return nil
}

// await waits until all nodes have joined, and tells of the progress. It gives them up
// when no further watch comes up for long.
func (f *Fleet) await(joined <-chan error, giveUp context.CancelCauseFunc, total int, progress func(done, total int)) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	came := f.came
	if total == 0 {
		came = f.steps
	}
	for most, since := -1, time.Now(); ; {
		select {
		case err := <-joined:
			return err
		case <-ticker.C:
		}
		if n := came(); n > most {
			most, since = n, time.Now()
		} else if time.Since(since) > upPatience {
			giveUp(fmt.Errorf("%d of %d watches are up, and for %s no further one came: see the API server's log", f.came(), total, upPatience))
			return <-joined
		}
		if progress != nil {
			progress(f.came(), total)
		}
	}
}

// start starts a node that is registered.
func (f *Fleet) start(background context.Context, n *node) {
	n.connect()
	at := f.env.Clock.Now()
	n.begin(at, true)
	n.begun.Store(true)
	// A kubelet renews its lease and reports its status as it starts, and at its own
	// pace from then on.
	f.beats.Add(2)
	f.renew(background, n, at, nil, f.beats.Done)
	f.report(background, n, at, func() {
		f.told.Add(1)
		f.beats.Done()
	})
}

// ahead is how many watches may be coming up at once: enough to keep the server
// at work, and fewer than what priority and fairness has room for in the queues
// of kube-proxy's one user, which turns the rest away.
const ahead = 200

// How long nothing may come up before the next node is admitted all the same, and
// before all are given up.
const (
	startPatience = 5 * time.Second
	upPatience    = 2 * patience // a node that cannot be registered says why before
)

// admit waits until of the watches of the nodes admitted before few are still
// coming up: a fleet that starts is no herd, unless a scenario asks for one.
func (f *Fleet) admit(ctx context.Context) error {
	f.turn.Lock()
	defer f.turn.Unlock()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for most, since := f.came(), time.Now(); ; {
		n := f.came()
		if n > most {
			most, since = n, time.Now()
		}
		if f.admitted-n <= ahead || time.Since(since) > startPatience {
			f.admitted += len(f.kinds)
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// steps counts what only goes on while nodes come up.
func (f *Fleet) steps() int { return f.came() + int(f.made.Load()+f.leased.Load()) }

// came returns how many watches of the nodes have seen everything that was there.
func (f *Fleet) came() int {
	n := 0
	for _, k := range f.kinds {
		n += int(k.shared.Counts.Came.Load())
	}
	return n
}
