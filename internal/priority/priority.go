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
	"strconv"

	"golang.org/x/sys/unix"
)

// First is the nice value of a storm that runs trials, where it may take it.
const First = -10

// Set gives every thread of this process the nice value. On Linux a nice value
// is a thread's own; threads that come later take that of the one that makes
// them. To go below the present value takes root or CAP_SYS_NICE.
func Set(nice int) error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("setting the priority: %w", err)
	}
	for _, task := range tasks {
		id, err := strconv.Atoi(task.Name())
		if err != nil {
			continue
		}
		err = unix.Setpriority(unix.PRIO_PROCESS, id, nice)
		if err != nil && !errors.Is(err, unix.ESRCH) { // a thread may just have ended
			return fmt.Errorf("setting the priority to %d: %w", nice, err)
		}
	}
	return nil
}

// Get returns the nice value of the calling thread.
func Get() int {
	// The system call itself, unlike the library's, answers 20 minus the value.
	n, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return 0
	}
	return 20 - n
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
