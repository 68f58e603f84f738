package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/storm-harness/storm/clusters/components"
)

// group is rows that are measured together.
type group struct {
	rows    string // letters
	what    string
	measure func(*bench, context.Context) error
}

var groups = []group{
	{"acd", "a fleet over shared connections: memory, processor time, registration, leases on time", (*bench).shared},
	{"b", "the same with a connection and a certificate for each node", (*bench).perNode},
	{"h", "KWOK with as many nodes", (*bench).kwok},
	{"eg", "requests a CPU-second beside hey and wrk; send lag at half the saturation", (*bench).requests},
	{"f", "list bodies a CPU-second beside curl", (*bench).lists},
	{"i", "memory over a long run (-soak)", (*bench).soak},
	{"j", "the largest fleet with its leases on time (-search)", (*bench).search},
}

// bench is one run.
type bench struct {
	options
	store  *components.Store
	dir    string // of this run's clusters
	peers  string // where peers are installed
	rows   []row
	failed []string
	begun  time.Time
}

func newBench(o options) (*bench, error) {
	store, err := components.Open(components.Options{})
	if err != nil {
		return nil, err
	}
	// Beside the components, because a temporary directory may be in memory,
	// where etcd's writes would cost nothing.
	cache := filepath.Join(filepath.Dir(store.Dir()), "bench")
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(cache, "run-")
	if err != nil {
		return nil, err
	}
	return &bench{options: o, store: store, dir: dir, peers: cache, begun: time.Now(), rows: []row{}}, nil
}

func (b *bench) close() {
	if err := os.RemoveAll(b.dir); err != nil {
		b.say("%v", err)
	}
}

// say tells of the progress.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.0fs  %s\n", time.Since(b.begun).Seconds(), fmt.Sprintf(format, args...))
}

// fail notes that rows could not be measured, and goes on.
func (b *bench) fail(rows string, err error) {
	b.say("rows %s: %v", rows, err)
	b.failed = append(b.failed, fmt.Sprintf("%s (%v)", strings.Join(strings.Split(rows, ""), ", "), err))
}

// wants says whether a row is asked for.
func (b *bench) wants(row string) bool { return b.of(row) != "" }
