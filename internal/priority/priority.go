// Package priority sets how a process of storm's stands with the scheduler.
//
// A load generator that shares its processors with what it measures must get
// its turn when it wants one, or it sends late and measures itself. storm needs
// little processor time, so to go first costs the control plane next to nothing.
package priority

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Standing is how a process stands with the scheduler.
type Standing struct {
	// RealTime: its threads go before all ordinary ones (SCHED_RR at the lowest
	// priority; the kernel keeps a twentieth of the time for the others).
	RealTime bool
	Nice     int
}

// String is the standing in a word or two.
func (s Standing) String() string {
	if s.RealTime {
		return "real-time"
	}
	return "nice " + strconv.Itoa(s.Nice)
}

// first is the nice value of a storm that runs trials and may not be real-time.
const first = -10

// GoFirst has every thread of this process go before those of others, as far
// as it may, and returns how the process stands then, and what undoes it. A
// thread that comes later stands as the one that makes it.
//
// A nice value would not do where it can be helped: the kernel weighs it within a
// session, or a control group, only (autogroup), and a group that seldom wants a
// processor has a small share of one, so that a busy control plane keeps it
// waiting for tens of milliseconds.
func GoFirst() (now Standing, undo func()) {
	before := standing()
	if everyThread(realTime) == nil {
		return Standing{RealTime: true, Nice: before.Nice}, func() { _ = everyThread(func(thread int) error { return ordinary(thread, before.Nice) }) }
	}
	if everyThread(func(thread int) error { return ordinary(thread, first) }) != nil {
		return before, func() {}
	}
	return Standing{Nice: first}, func() { _ = everyThread(func(thread int) error { return ordinary(thread, before.Nice) }) }
}

// Ordinary has every thread of this process stand as any other program's.
func Ordinary() error {
	return everyThread(func(thread int) error { return ordinary(thread, max(0, standing().Nice)) })
}

// Ordinarily starts what a process that goes first has others do: a child
// stands as the thread that makes it. do must make its children itself, as
// exec.Cmd's Start and Run do, and not by another goroutine.
func Ordinarily(do func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := unix.Gettid()
	before, err := unix.SchedGetAttr(thread, 0)
	if err == nil && (before.Policy != unix.SCHED_NORMAL || before.Nice < 0) {
		if err := ordinary(thread, 0); err != nil {
			return err
		}
		defer func() { _ = unix.SchedSetAttr(thread, before, 0) }() // it was so before
	}
	return do()
}

func realTime(thread int) error {
	return unix.SchedSetAttr(thread, &unix.SchedAttr{Policy: unix.SCHED_RR, Priority: 1}, 0)
}

func ordinary(thread, nice int) error {
	return unix.SchedSetAttr(thread, &unix.SchedAttr{Policy: unix.SCHED_NORMAL, Nice: int32(nice)}, 0)
}

// standing is how the calling thread stands.
func standing() Standing {
	a, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return Standing{}
	}
	return Standing{RealTime: a.Policy == unix.SCHED_RR, Nice: int(a.Nice)}
}

// everyThread does the same to all threads of this process, those that come
// meanwhile too.
func everyThread(do func(thread int) error) error {
	done := map[string]bool{}
	for again := true; again; {
		again = false
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return fmt.Errorf("setting the priority: %w", err)
		}
		for _, task := range tasks {
			id, err := strconv.Atoi(task.Name())
			if err != nil || done[task.Name()] {
				continue
			}
			done[task.Name()], again = true, true
			if err := do(id); err != nil && !errors.Is(err, unix.ESRCH) { // a thread may just have ended
				return fmt.Errorf("setting the priority: %w", err)
			}
		}
	}
	return nil
}

// behind is the nice value of a session that steps back.
const behind = "5"

// StepBack lets the sessions of others go before this process's own. Where the
// kernel groups processes by session for scheduling (autogroup), a nice value
// counts only within a session, and this is what counts between them. A kernel
// without it has no such file, and nothing is to be done.
func StepBack() {
	_ = os.WriteFile("/proc/self/autogroup", []byte(behind), 0)
}
