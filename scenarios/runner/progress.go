package runner

import (
	"sync"
	"time"

	"github.com/storm-harness/storm/internal/rundir"
)

// Stage is a part of a run.
type Stage string

// The stages, in order.
const (
	StageComponents Stage = "components" // getting the binaries
	StageCluster    Stage = "cluster"    // the first start, and the golden copy
	StageReset      Stage = "reset"      // back to the golden copy, before each trial
	StageTrial      Stage = "trial"
	StageFinish     Stage = "finish" // tearing down
)

// Progress is what a run is doing now, for the terminal.
type Progress struct {
	Stage     Stage
	Component string // of a cluster's or component's step
	Text      string // what happened
	Done      int    // of Total parts; Total 0 where unknown
	Total     int

	Trial   int // from 1; 0 before the first
	Trials  int
	Planned rundir.Planned
	Phase   string        // of the timeline: steady, fault, recovery …; of a reset: what takes it long, or nothing
	Act     string        // the fault or operation in force
	InForce []string      // faults that the timeline is to heal, until it has
	Began   time.Time     // of the phase
	Lasts   time.Duration // how long the phase is planned to last; for recovery at most; 0 unknown
	Ended   bool          // the trial has ended
	Problem string        // why the trial is invalid, once it has ended
	Live    Live
}

// Live are the load's figures of the last second.
type Live struct {
	Rate   float64 // requests a second that succeeded
	Errors uint64  // that failed
	// Latency is that of the requests that succeeded; nil where there were none.
	Latency *Latency
}

// Latency is what the requests of a second took. It is read only where it is
// shown: reading it costs processor time, which the load needs more.
type Latency struct {
	hists []string

	once sync.Once
	p99  time.Duration
}

// LatencyOf is what the histograms of windows tell (rundir.Window).
func LatencyOf(hists ...string) *Latency { return &Latency{hists: hists} }

// P99 is the 99th percentile over all loads, 0 where nothing was recorded. In a
// second of few requests it is the slowest of them.
func (l *Latency) P99() time.Duration {
	if l == nil {
		return 0
	}
	l.once.Do(func() {
		all := rundir.NewHist()
		for _, text := range l.hists {
			if h, err := rundir.DecodeHist(text); err == nil { // storm encoded it itself
				all.Merge(h)
			}
		}
		l.p99 = time.Duration(all.ValueAtQuantile(99)) * time.Microsecond
	})
	return l.p99
}

// Observer takes progress; it is called from several goroutines and must not
// block.
type Observer func(Progress)
