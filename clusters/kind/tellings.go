package kind

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// tellings are the reports under way. That a process ended is seen at once; with what
// code, its node's container runtime is asked for, which takes seconds: whoever judges
// what has ended by now waits for those.
type tellings struct {
	mu    sync.Mutex
	under map[chan struct{}]bool
}

// begin notes a report that is under way until what it returns is called.
func (t *tellings) begin() (told func()) {
	done := make(chan struct{})
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.under == nil {
		t.under = map[chan struct{}]bool{}
	}
	t.under[done] = true
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.under, done)
		close(done)
	}
}

// wait returns when those are told that are under way now, or ctx ends.
func (t *tellings) wait(ctx context.Context) {
	t.mu.Lock()
	now := slices.Collect(maps.Keys(t.under))
	t.mu.Unlock()
	for _, done := range now {
		select {
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}

// Told returns when Exited has been told of every component that has been seen to
// end: a reset would take a later word for its own doing.
func (c *Cluster) Told(ctx context.Context) { c.tellings.wait(ctx) }
