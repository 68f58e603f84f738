package procfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Identity names one process for good: pids are used again, and start times
// count from a boot.
type Identity struct {
	PID        int    `json:"pid"`
	StartTicks uint64 `json:"start"`
	BootID     string `json:"boot"`
}

// Identify returns the identity of a process that is there now.
func Identify(pid int) (Identity, error) {
	s, err := ReadStat(pid)
	if err != nil {
		return Identity{}, fmt.Errorf("process %d: %w", pid, err)
	}
	boot, err := BootID()
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, StartTicks: s.StartTicks, BootID: boot}, nil
}

// Alive is true while that very process runs: not one that was given the same
// pid later, and not a dead one that waits for its parent.
func (id Identity) Alive() (bool, error) {
	boot, err := BootID()
	if err != nil {
		return false, err
	}
	if boot != id.BootID {
		return false, nil
	}
	s, err := ReadStat(id.PID)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return s.StartTicks == id.StartTicks && !s.Dead(), nil
}

// Environ returns the environment that a process was started with, as KEY=value
// strings. It takes the permission to trace the process.
func Environ(pid int) ([]string, error) {
	b, err := read(pid, "environ")
	if err != nil {
		return nil, err
	}
	var out []string
	for entry := range bytes.SplitSeq(b, []byte{0}) {
		if len(entry) > 0 {
			out = append(out, string(entry))
		}
	}
	return out, nil
}

// HasEnv is true if the process was started with exactly this KEY=value. A
// process that is gone, or that this user may not look into, has not.
func HasEnv(pid int, key, value string) (bool, error) {
	env, err := Environ(pid)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrPermission) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	want := key + "=" + value
	for _, e := range env {
		if e == want {
			return true, nil
		}
	}
	return false, nil
}

// WithEnv returns every living process that was started with this KEY=value,
// the calling process excepted.
func WithEnv(key, value string) ([]Identity, error) {
	pids, err := PIDs()
	if err != nil {
		return nil, err
	}
	var out []Identity
	for _, pid := range pids {
		if pid == os.Getpid() {
			continue
		}
		has, err := HasEnv(pid, key, value)
		if err != nil {
			return nil, err
		}
		if !has {
			continue
		}
		id, err := Identify(pid)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	return out, nil
}
