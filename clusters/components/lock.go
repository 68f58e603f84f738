package components

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/flock"
)

// lock makes this the only storm, of all that use the cache, that fetches or
// builds the release. While another one does, lock waits and says for whom.
func (c *cache) lock(ctx context.Context, w wanted, sink clusters.Sink) (unlock func(), err error) {
	unlock, err = flock.Hold(ctx, filepath.Join(c.root, "locks", w.release()), func(holder string) {
		sink(clusters.Event{Component: w.name, Text: fmt.Sprintf("waiting for %s, which is getting %s %s", holder, w.project.name, w.version)})
	})
	if err != nil && ctx.Err() == nil {
		return nil, &cacheError{err}
	}
	return unlock, err
}
