package measure

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"runtime/metrics"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/storm-harness/storm/internal/procfs"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
)

// Bounds are what storm demands of itself. Beyond one of them a trial's
// figures may be storm's rather than the server's.
type Bounds struct {
	SendLagP99 time.Duration // from the intended time to the sending, outside fault windows
	// RunQueue is how long a thread of storm's that is ready to run may wait
	// for a processor, on average over the turns of a second. Summed over
	// threads instead, it would grow with their number and say nothing of how
	// late any of them was.
	RunQueue time.Duration
	GCPause  time.Duration // the longest stop of the world
}

// DefaultBounds suit a generator that shares a small machine with the cluster.
func DefaultBounds() Bounds {
	return Bounds{SendLagP99: 50 * time.Millisecond, RunQueue: 20 * time.Millisecond, GCPause: 50 * time.Millisecond}
}

// GeneratorHealth watches storm's own process: whether it got the processor
// time to send what it intended to send.
type GeneratorHealth struct {
	recorder *Recorder
	bounds   Bounds

	mu      sync.Mutex
	faulted bool
	waits   []int64                   // ns waited for a processor a turn, of each second outside fault windows
	files   int                       // the most that were open
	missed  error                     // why the run queue could not be read
	pauses  *metrics.Float64Histogram // as they were when the present stretch without a fault began
	longest int64                     // ns, of the stretches before it
}

// NewGeneratorHealth makes it for the load that goes through the recorder.
// The zero values of bounds mean DefaultBounds'.
func NewGeneratorHealth(r *Recorder, bounds Bounds) *GeneratorHealth {
	def := DefaultBounds()
	bounds.SendLagP99 = cmp.Or(bounds.SendLagP99, def.SendLagP99)
	bounds.RunQueue = cmp.Or(bounds.RunQueue, def.RunQueue)
	bounds.GCPause = cmp.Or(bounds.GCPause, def.GCPause)
	return &GeneratorHealth{recorder: r, bounds: bounds, pauses: gcPauses()}
}

// Faulted says that a fault is in force (true) or over: between them neither
// the send lag, nor the run queue, nor the pauses count.
func (g *GeneratorHealth) Faulted(on bool) {
	g.recorder.Faulted(on)
	g.mu.Lock()
	defer g.mu.Unlock()
	if on && !g.faulted {
		g.longest = max(g.longest, longest(g.pauses, gcPauses()))
	}
	if !on && g.faulted {
		g.pauses = gcPauses()
	}
	g.faulted = on
}

// Run samples the run queue each second until ctx ends, and returns nil.
func (g *GeneratorHealth) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	before := g.threads()
	disturbed := g.isFaulted()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		now := g.threads()
		g.countFiles()
		// A second of which any part had a fault does not count.
		was := disturbed
		disturbed = g.isFaulted()
		if !was && !disturbed && before != nil && now != nil {
			g.add(waited(before, now))
		}
		before = now
	}
}

// waited is how long the threads waited between two readings, and for how many
// turns on a processor. Of a thread that has ended meanwhile it is not known.
func waited(before, now map[int]procfs.RunQueue) (wait time.Duration, turns uint64) {
	for id, q := range now {
		wait += max(q.Waiting-before[id].Waiting, 0)
		turns += q.Slices - min(before[id].Slices, q.Slices)
	}
	return wait, turns
}

func (g *GeneratorHealth) add(wait time.Duration, turns uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if turns > 0 {
		g.waits = append(g.waits, int64(wait)/int64(turns))
	}
}

// countFiles counts what this process has open: a socket for each connection.
func (g *GeneratorHealth) countFiles() {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return // the next second will tell
	}
	defer func() { _ = dir.Close() }() // it was only read
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.files = max(g.files, len(names)-1) // without the directory itself
}

// nearly is the share of the open files that a process may have from which on
// it is short of them.
const nearly = .95

func (g *GeneratorHealth) isFaulted() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.faulted
}

func (g *GeneratorHealth) threads() map[int]procfs.RunQueue {
	threads, err := procfs.ReadThreads(os.Getpid())
	if err != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.missed = err
		return nil
	}
	return threads
}

// Result is the account so far. Problems lists every bound that was crossed,
// with the figure; a load without a single operation, or a run queue that
// could not be read, is a problem too, since nothing is known of it.
func (g *GeneratorHealth) Result() rundir.Generator {
	totals := g.recorder.Totals()
	g.mu.Lock()
	defer g.mu.Unlock()
	pause := g.longest
	if !g.faulted {
		pause = max(pause, longest(g.pauses, gcPauses()))
	}
	r := rundir.Generator{
		SendLagP99: totals.LagP99, SendLagMax: totals.LagMax, Refused: totals.Refused, Intended: totals.Operations,
		RunQueueP99: quantile(g.waits, 0.99), GCPauseMax: pause, Files: g.files,
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		r.FileLimit = limit.Cur
	}
	problem := func(format string, args ...any) { r.Problems = append(r.Problems, fmt.Sprintf(format, args...)) }
	switch {
	case totals.Operations == 0:
		problem("the load intended no operation at all")
	case totals.Sent == 0 && totals.Paced > 0: // what is closed-loop alone cannot be late
		problem("nothing was sent outside fault windows, so that the send lag is not known")
	case r.SendLagP99 > int64(g.bounds.SendLagP99):
		problem("storm sent the requests of %s late: p99 of the send lag is %v, the bound is %v; take an idle machine, or a smaller load", totals.Latest, round(r.SendLagP99), g.bounds.SendLagP99)
	}
	switch {
	case g.missed != nil:
		problem("storm's run queue delay is not known: %v", g.missed)
	case r.RunQueueP99 > int64(g.bounds.RunQueue):
		problem("storm's threads waited %v for each turn on a processor (p99 of the seconds), the bound is %v; take an idle machine, or a smaller load", round(r.RunQueueP99), g.bounds.RunQueue)
	}
	if r.GCPauseMax > int64(g.bounds.GCPause) {
		problem("storm was stopped for its garbage collection for up to %v, the bound is %v", round(r.GCPauseMax), g.bounds.GCPause)
	}
	if totals.Local > 0 {
		problem("storm itself could not make %s, mostly for want of a file or a port: raise the limit (ulimit -n; net.ipv4.ip_local_port_range), or take a smaller load", unit.Count(totals.Local, "request"))
	}
	if r.FileLimit > 0 && float64(r.Files) >= nearly*float64(r.FileLimit) {
		problem("storm had %d files open of the %d that it may: raise the limit (ulimit -n)", r.Files, r.FileLimit)
	}
	return r
}

func round(ns int64) time.Duration { return time.Duration(ns).Round(10 * time.Microsecond) }

// quantile returns the smallest value that a share q of them does not exceed;
// 0 where there are none.
func quantile(values []int64, q float64) int64 {
	if len(values) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(values))
	return s[max(int(math.Ceil(q*float64(len(s))))-1, 0)]
}

// gcPauses reads the runtime's histogram of the stops for garbage collection.
func gcPauses() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindFloat64Histogram {
		return nil
	}
	return s[0].Value.Float64Histogram()
}

// longest returns the upper end, in ns, of the last bucket that grew between
// two readings; 0 where none did, or where the runtime has no such histogram.
func longest(before, after *metrics.Float64Histogram) int64 {
	if before == nil || after == nil {
		return 0
	}
	for i := len(after.Counts) - 1; i >= 0; i-- {
		if after.Counts[i] > before.Counts[i] {
			end := after.Buckets[i+1]
			if math.IsInf(end, 1) {
				end = after.Buckets[i]
			}
			return int64(end * float64(time.Second))
		}
	}
	return 0
}
