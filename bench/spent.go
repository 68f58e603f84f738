package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// spent is the processor time of processes, by name, and over how long.
type spent struct {
	by   map[string]time.Duration
	over time.Duration
	gone []string // processes that have ended meanwhile, of which nothing is known
}

// meter reads what processes have spent.
type meter struct {
	pids   map[string]int
	begun  time.Time
	before map[string]time.Duration
}

// meters begins to count what the processes spend. Of one that has not begun yet, or
// begins meanwhile, all counts; of one that ends, nothing.
func meters(pids map[string]int) (*meter, error) {
	m := &meter{pids: maps.Clone(pids), begun: time.Now()}
	var err error
	m.before, err = m.read()
	return m, err
}

// also counts a process that has just begun.
func (m *meter) also(name string, pid int) { m.pids[name] = pid }

// sum is what was spent since the meter began.
func (m *meter) sum() (spent, error) {
	now, err := m.read()
	s := spent{by: map[string]time.Duration{}, over: time.Since(m.begun)}
	for name, cpu := range now {
		s.by[name] = cpu - m.before[name]
	}
	for _, name := range slices.Sorted(maps.Keys(m.before)) {
		if _, lives := now[name]; !lives {
			s.gone = append(s.gone, name)
		}
	}
	return s, err
}

func (m *meter) read() (map[string]time.Duration, error) {
	out := map[string]time.Duration{}
	for name, pid := range m.pids {
		cpu, err := cpuOf(pid)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("%s: %w", name, err)
		default:
			out[name] = cpu
		}
	}
	return out, nil
}

// String says it in words, the most first.
func (s spent) String() string {
	names := slices.SortedFunc(maps.Keys(s.by), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.by[b], s.by[a]), strings.Compare(a, b))
	})
	total, parts := time.Duration(0), make([]string, 0, len(names))
	for _, name := range names {
		total += s.by[name]
		parts = append(parts, fmt.Sprintf("%s %.1f s", name, s.by[name].Seconds()))
	}
	without := ""
	if len(s.gone) > 0 {
		without = "; without " + strings.Join(s.gone, ", ") + ", which had ended by itself"
	}
	return fmt.Sprintf("%.2f processors: %s%s", total.Seconds()/s.over.Seconds(), strings.Join(parts, ", "), without)
}

// figures adds it to a row's.
func (s spent) figures(into map[string]float64, prefix string) {
	for name, cpu := range s.by {
		into[prefix+"."+name+".cpu.s"] = cpu.Seconds()
	}
}

// collected is what a Go process's own metrics say of its garbage collector.
type collected struct {
	cycles  float64
	seconds float64 // of processor time, by Go's own estimate: too high where processors are full
	live    float64 // bytes that the last cycle found alive
	stacks  float64 // bytes
}

// collected is the API server's.
func (c count) collected() collected {
	return collected{
		cycles: c("go_gc_cycles_total_gc_cycles_total", nil), seconds: c("go_cpu_classes_gc_total_cpu_seconds_total", nil),
		live: c("go_gc_heap_live_bytes", nil), stacks: c("go_memory_classes_heap_stacks_bytes", nil),
	}
}

// since is what was collected after before.
func (c collected) since(before collected) collected {
	c.cycles -= before.cycles
	c.seconds -= before.seconds
	return c
}

func (c collected) String() string {
	if c.live == 0 {
		return "of the API server's garbage nothing is told"
	}
	what := fmt.Sprintf("%s alive, %s of stacks", mb(c.live), mb(c.stacks))
	if c.cycles == 0 {
		return "the API server collected no garbage: " + what
	}
	return fmt.Sprintf("the API server collected its garbage %.0f times, some %.1f s of processor time each by its own estimate: %s", c.cycles, c.seconds/c.cycles, what)
}
