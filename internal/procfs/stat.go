package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Stat is what /proc/PID/stat says, as far as storm needs it.
type Stat struct {
	PID    int
	Comm   string // the executable's name, at most 15 bytes
	State  byte   // R, S, D, Z, T, …: see proc_pid_stat(5)
	Parent int
	User   time.Duration // processor time in user mode, all threads, ended ones included
	System time.Duration // processor time in the kernel
	// Threads is how many threads there are now.
	Threads int
	// StartTicks is when the process started, in ticks since the boot. With
	// the pid and the boot id it names a process for good.
	StartTicks uint64
}

// CPU is the processor time used so far, in user mode and in the kernel.
func (s Stat) CPU() time.Duration { return s.User + s.System }

// Dead is true of a process that has ended and only waits for its parent. One
// whose first thread has ended before the others is not: it may hold files.
func (s Stat) Dead() bool {
	return (s.State == 'Z' || s.State == 'X' || s.State == 'x') && s.Threads <= 1
}

// ReadStat reads a process's stat.
func ReadStat(pid int) (Stat, error) {
	b, err := read(pid, "stat")
	if err != nil {
		return Stat{}, err
	}
	return parseStat(b)
}

// The places of the fields after the name, which is the second one.
const (
	fieldState   = 0
	fieldParent  = 1
	fieldUser    = 11
	fieldSystem  = 12
	fieldThreads = 17
	fieldStart   = 19
	fieldsWanted = 20
)

// parseStat takes the line apart. The name stands in parentheses and may hold
// spaces and parentheses itself, so the fields are counted from the last one.
func parseStat(b []byte) (Stat, error) {
	open, end := bytes.IndexByte(b, '('), bytes.LastIndexByte(b, ')')
	if open < 1 || end < open {
		return Stat{}, errors.New("stat of a process: no name in parentheses")
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(b[:open])))
	if err != nil {
		return Stat{}, fmt.Errorf("stat of a process: its pid: %w", err)
	}
	fields := bytes.Fields(b[end+1:])
	if len(fields) < fieldsWanted || len(fields[fieldState]) != 1 {
		return Stat{}, fmt.Errorf("stat of process %d: %d fields after the name, want %d or more", pid, len(fields), fieldsWanted)
	}
	s := Stat{PID: pid, Comm: string(b[open+1 : end]), State: fields[fieldState][0]}
	number := func(field int) uint64 {
		n, e := strconv.ParseUint(string(fields[field]), 10, 64)
		if e != nil && err == nil {
			err = fmt.Errorf("stat of process %d: %w", pid, e)
		}
		return n
	}
	s.Parent = int(number(fieldParent))
	s.User = ticks(number(fieldUser))
	s.System = ticks(number(fieldSystem))
	s.Threads = int(number(fieldThreads))
	s.StartTicks = number(fieldStart)
	return s, err
}

func ticks(n uint64) time.Duration {
	return time.Duration(n) * (time.Second / TicksPerSecond)
}
