package reflector

import (
	"context"
	"fmt"
	"time"

	"github.com/storm-harness/storm/workloads/client"
)

// syncPatience is how long nothing may move while things come up: two deadlines of a
// request that hangs.
const syncPatience = 2 * client.ServerTimeout

// Await waits until all reflectors have seen everything that was there, or
// whatever else there are to be so many of; synced says how many have. progress
// is told so; it may be nil. It gives up when for syncPatience no further one has.
func Await(ctx context.Context, total int, what string, synced func() int, progress func(done, total int)) error {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for best, since := -1, time.Now(); ; {
		done := synced()
		if progress != nil {
			progress(min(done, total), total)
		}
		switch {
		case done >= total:
			return nil
		case done > best:
			best, since = done, time.Now()
		case time.Since(since) > syncPatience:
			return fmt.Errorf("only %d of %d %s came up, and for %s no further one: see the API server's log", best, total, what, syncPatience)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
