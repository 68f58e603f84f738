package main

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSpentIsToldByTheMost(t *testing.T) {
	s := spent{by: map[string]time.Duration{"etcd": 3 * time.Second, "storm": time.Second, "kube-apiserver-0": 12 * time.Second}, over: 8 * time.Second}
	if got, want := s.String(), "2.00 processors: kube-apiserver-0 12.0 s, etcd 3.0 s, storm 1.0 s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	figures := map[string]float64{}
	if s.figures(figures, "up"); figures["up.etcd.cpu.s"] != 3 {
		t.Errorf("%v", figures)
	}
}

func TestMetersCountWhatLives(t *testing.T) {
	mine := procstat(t)
	m, err := meters(map[string]int{"never": 1 << 30, "self": os.Getpid()})
	if err != nil {
		t.Fatal(err)
	}
	m.before["ended"] = time.Second // as if it had been there
	m.also("late", os.Getpid())
	for procstat(t) < mine+50*time.Millisecond { // a few of the kernel's ticks
	}
	s, err := m.sum()
	if err != nil {
		t.Fatal(err)
	}
	if _, there := s.by["never"]; there || !slices.Equal(s.gone, []string{"ended"}) {
		t.Errorf("%+v", s)
	}
	if s.by["self"] < 20*time.Millisecond || s.by["late"] < s.by["self"] || s.by["late"] < mine || s.by["self"] > procstat(t) {
		t.Errorf("self %s of %s, late %s", s.by["self"], procstat(t), s.by["late"])
	}
}

func procstat(t *testing.T) time.Duration {
	t.Helper()
	cpu, err := cpuOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	return cpu
}

// The names are those that an API server of v1.36.3 gives.
func TestTheCollectorsFigures(t *testing.T) {
	read := func(text string) collected {
		c, err := counted(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return c.collected()
	}
	before := read(`# TYPE go_gc_cycles_total_gc_cycles_total counter
go_gc_cycles_total_gc_cycles_total 25
# TYPE go_cpu_classes_gc_total_cpu_seconds_total counter
go_cpu_classes_gc_total_cpu_seconds_total 2.5
`)
	after := read(`# TYPE go_gc_cycles_total_gc_cycles_total counter
go_gc_cycles_total_gc_cycles_total 29
# TYPE go_cpu_classes_gc_total_cpu_seconds_total counter
go_cpu_classes_gc_total_cpu_seconds_total 26.5
# TYPE go_gc_heap_live_bytes gauge
go_gc_heap_live_bytes 2.5e+09
# TYPE go_memory_classes_heap_stacks_bytes gauge
go_memory_classes_heap_stacks_bytes 7.66e+08
`)
	want := "the API server collected its garbage 4 times, some 6.0 s of processor time each by its own estimate: 2500 MB alive, 766 MB of stacks"
	if got := after.since(before).String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	want = "the API server collected no garbage: 2500 MB alive, 766 MB of stacks"
	if got := after.since(after).String(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := (collected{}).String(), "of the API server's garbage nothing is told"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
