package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"
)

// Memory is a process's memory in bytes.
type Memory struct {
	RSS  int64 // resident now
	Peak int64 // the most that ever was resident
	Swap int64
}

// ReadMemory reads a process's memory from its status. A dead process that
// waits for its parent has none: all fields are 0.
func ReadMemory(pid int) (Memory, error) {
	b, err := read(pid, "status")
	if err != nil {
		return Memory{}, err
	}
	f, err := parseLabelled(b)
	if err != nil {
		return Memory{}, fmt.Errorf("status of process %d: %w", pid, err)
	}
	return Memory{RSS: f["VmRSS"] << 10, Peak: f["VmHWM"] << 10, Swap: f["VmSwap"] << 10}, nil
}

// IO is what a process read and wrote, in bytes since its start.
type IO struct {
	ReadChars  int64 // asked of read(2) and the like, whatever served it
	WriteChars int64
	ReadBytes  int64 // fetched from storage
	WriteBytes int64 // sent to storage, or to the page cache on the way there
}

// ReadIO reads a process's io; it takes the permission to trace the process.
func ReadIO(pid int) (IO, error) {
	b, err := read(pid, "io")
	if err != nil {
		return IO{}, err
	}
	f, err := parseLabelled(b)
	if err != nil {
		return IO{}, fmt.Errorf("io of process %d: %w", pid, err)
	}
	return IO{
		ReadChars: f["rchar"], WriteChars: f["wchar"],
		ReadBytes: f["read_bytes"], WriteBytes: f["write_bytes"],
	}, nil
}

// parseLabelled reads lines such as "VmRSS:   123 kB" and "rchar: 123" into
// label → number. Lines whose value is no number are left out.
func parseLabelled(b []byte) (map[string]int64, error) {
	out := map[string]int64{}
	for line := range bytes.Lines(b) {
		label, rest, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		words := bytes.Fields(rest)
		if len(words) == 0 {
			continue
		}
		if n, err := strconv.ParseInt(string(words[0]), 10, 64); err == nil {
			out[string(label)] = n
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no labelled number in it")
	}
	return out, nil
}

// RunQueue is how a process's threads fared with the scheduler. It sums over
// the threads that live now: a thread that ended takes its share away, so a
// difference between two readings can be negative and must be clamped at 0.
type RunQueue struct {
	Running time.Duration // on a processor
	Waiting time.Duration // ready to run, waiting for one
	Slices  uint64        // times on a processor
}

// ReadRunQueue sums /proc/PID/task/*/schedstat.
func ReadRunQueue(pid int) (RunQueue, error) {
	threads, err := ReadThreads(pid)
	if err != nil {
		return RunQueue{}, err
	}
	var sum RunQueue
	for _, q := range threads {
		sum.Running += q.Running
		sum.Waiting += q.Waiting
		sum.Slices += q.Slices
	}
	return sum, nil
}

// ReadThreads returns the run queue figures of each living thread by its id,
// for a reader that takes differences thread by thread and so loses only what
// a thread did between the last reading and its end.
func ReadThreads(pid int) (map[int]RunQueue, error) {
	ids, err := numbers(processPath(pid, "task"))
	if err != nil {
		return nil, err
	}
	out := make(map[int]RunQueue, len(ids))
	for _, id := range ids {
		b, err := read(pid, "task/"+strconv.Itoa(id)+"/schedstat")
		if errors.Is(err, fs.ErrNotExist) {
			continue // that thread has ended meanwhile
		}
		if err != nil {
			return nil, err
		}
		q, err := parseSchedstat(b)
		if err != nil {
			return nil, fmt.Errorf("schedstat of process %d, thread %d: %w", pid, id, err)
		}
		out[id] = q
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("schedstat of process %d: %w", pid, fs.ErrNotExist)
	}
	return out, nil
}

// parseSchedstat reads "running waiting slices", nanoseconds both.
func parseSchedstat(b []byte) (RunQueue, error) {
	words := bytes.Fields(b)
	if len(words) != 3 {
		return RunQueue{}, fmt.Errorf("%d numbers, want 3", len(words))
	}
	var n [3]uint64
	for i, w := range words {
		v, err := strconv.ParseUint(string(w), 10, 63)
		if err != nil {
			return RunQueue{}, err
		}
		n[i] = v
	}
	return RunQueue{Running: time.Duration(n[0]), Waiting: time.Duration(n[1]), Slices: n[2]}, nil
}
