package measure

import (
	"cmp"
	"context"
	"os"
	"time"

	"github.com/storm-harness/storm/internal/procfs"
	"github.com/storm-harness/storm/internal/rundir"
)

// ProcessSampler records the CPU time, memory and disk writes of the
// components' processes and of storm itself, and the CPU time of the machine.
type ProcessSampler struct {
	clock    *Clock
	sink     func(rundir.Process)
	interval time.Duration
	pids     func() map[string]int
}

// NewProcessSampler makes a sampler; an interval of 0 means 1 s. pids is asked
// before each sampling for the components' processes, since a component that
// is restarted gets another; a pid of 0 is passed over.
func NewProcessSampler(clock *Clock, sink func(rundir.Process), interval time.Duration, pids func() map[string]int) *ProcessSampler {
	return &ProcessSampler{clock: clock, sink: sink, interval: cmp.Or(interval, time.Second), pids: pids}
}

// Run samples until ctx ends, and returns nil. A process that is gone is not
// recorded.
func (s *ProcessSampler) Run(ctx context.Context) error {
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for {
		s.Sample()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Sample records every process once.
func (s *ProcessSampler) Sample() {
	s.machine()
	s.sample(rundir.StormComponent, os.Getpid())
	for component, pid := range s.pids() {
		if pid != 0 {
			s.sample(component, pid)
		}
	}
}

// machine records what all of the machine has used, so that what others took of it
// is known.
func (s *ProcessSampler) machine() {
	if m, err := procfs.ReadMachine(); err == nil {
		s.sink(rundir.Process{
			At: s.clock.Now(), Component: rundir.MachineComponent,
			UserNS: int64(m.User), SystemNS: int64(m.System), Stolen: int64(m.Stolen),
		})
	}
}

func (s *ProcessSampler) sample(component string, pid int) {
	stat, err := procfs.ReadStat(pid)
	if err != nil || stat.Dead() {
		return
	}
	memory, err := procfs.ReadMemory(pid)
	if err != nil {
		return
	}
	p := rundir.Process{
		At: s.clock.Now(), Component: component, PID: pid,
		UserNS: int64(stat.User), SystemNS: int64(stat.System), RSS: memory.RSS,
	}
	// Only the owner may read it; then it stays unknown.
	if io, err := procfs.ReadIO(pid); err == nil {
		p.Written = io.WriteBytes
	}
	if queue, err := procfs.ReadRunQueue(pid); err == nil && component == rundir.StormComponent {
		p.RunQueue = int64(queue.Waiting)
	}
	s.sink(p)
}
