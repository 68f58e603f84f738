package workloads

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/storm-harness/storm/internal/unit"
)

// fillers is how many objects a preparation writes at once.
const fillers = 32

// fill makes count objects, some at a time, until the first error, which says
// how many had been made. make makes the i-th.
func fill(ctx context.Context, env *Env, workers, count int, noun string, make func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, made atomic.Int64
	var pool sync.WaitGroup
	var telling sync.Mutex
	for range min(workers, count) {
		pool.Go(func() {
			for i := int(next.Add(1)) - 1; i < count && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := make(ctx, i); err != nil {
					cancel(fmt.Errorf("workload %s: %s %d, after %s of %s: %w",
						env.Name, noun, i, unit.Grouped(made.Load()), unit.Grouped(count), err))
					return
				}
				n := int(made.Add(1))
				if env.Progress != nil {
					telling.Lock()
					env.Progress(n, count)
					telling.Unlock()
				}
			}
		})
	}
	pool.Wait()
	return context.Cause(ctx)
}
