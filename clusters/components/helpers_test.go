package components

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/storm-harness/storm/clusters"
)

// noGo is a go command that is not there: a test of the other sources must not
// build anything.
const noGo = "/nonexistent/go"

// open returns a store with a cache of its own.
func open(t *testing.T, o Options) *Store {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	if o.Go == "" {
		o.Go = noGo
	}
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// record logs events.
func record(t *testing.T) clusters.Sink {
	return func(e clusters.Event) { t.Logf("%s: %s (%d/%d)", e.Component, e.Text, e.Done, e.Total) }
}

// events keeps what a store reports.
type events struct {
	mu  sync.Mutex
	all []clusters.Event
}

func (e *events) sink(ev clusters.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, ev)
}

// have tells whether an event's text contains s.
func (e *events) have(s string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ev := range e.all {
		if strings.Contains(ev.Text, s) {
			return true
		}
	}
	return false
}

// get gets a binary that must be had.
func get(t *testing.T, s *Store, name, version string) Binary {
	t.Helper()
	b, err := s.Get(t.Context(), Request{Name: name, Version: version}, record(t))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// list returns the names and versions in the cache.
func list(t *testing.T, s *Store) []string {
	t.Helper()
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range all {
		names = append(names, b.Name+" "+b.Version)
	}
	return names
}

// leftovers returns what is in aside/.
func leftovers(t *testing.T, s *Store) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(s.Dir(), "aside", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
