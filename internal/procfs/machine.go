package procfs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is the processor time that everything used since the boot, kernel threads
// included, on the processors that this process may run on. Interrupts are not in
// it: they are in no process's time either.
type Machine struct {
	User, System time.Duration
	// Stolen is what the hypervisor gave to others while this machine wanted it.
	Stolen time.Duration
}

// ReadMachine reads the machine's processor time.
func ReadMachine() (Machine, error) {
	var mine unix.CPUSet
	if err := unix.SchedGetaffinity(0, &mine); err != nil {
		return Machine{}, fmt.Errorf("which processors this process may run on: %w", err)
	}
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Machine{}, err
	}
	return parseMachine(b, mine.IsSet)
}

// The places of the fields behind a processor's name: see proc_stat(5).
const (
	machineUser, machineNice, machineSystem = 0, 1, 2
	machineSteal                            = 7
)

// parseMachine adds up the lines "cpuN …" of the processors that are wanted.
func parseMachine(b []byte, wanted func(cpu int) bool) (Machine, error) {
	var m Machine
	found := false
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		name, ok := bytes.CutPrefix(lines.Bytes(), []byte("cpu"))
		if !ok {
			break // they come first
		}
		f := bytes.Fields(name)
		if len(f) == 0 || name[0] == ' ' {
			continue // the line of all of them
		}
		cpu, err := strconv.Atoi(string(f[0]))
		if err != nil || len(f) < 2+machineSteal {
			return Machine{}, fmt.Errorf("stat of the machine: %q is no processor's line", lines.Text())
		}
		if !wanted(cpu) {
			continue
		}
		number := func(i int) time.Duration {
			n, e := strconv.ParseUint(string(f[1+i]), 10, 63)
			if e != nil && err == nil {
				err = fmt.Errorf("stat of the machine: %w", e)
			}
			return ticks(n)
		}
		m.User += number(machineUser) + number(machineNice)
		m.System += number(machineSystem)
		m.Stolen += number(machineSteal)
		if err != nil {
			return Machine{}, err
		}
		found = true
	}
	if !found {
		return Machine{}, errors.New("stat of the machine: no processor's line")
	}
	return m, nil
}
