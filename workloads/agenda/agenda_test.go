package agenda

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/storm-harness/storm/measure"
)

func TestErrandsAreDoneInTheirTimeWhateverTheOrderTheyCameIn(t *testing.T) {
	clock := measure.NewClock()
	a := New(clock, 100)
	ctx, cancel := context.WithCancel(t.Context())
	var ran sync.WaitGroup
	ran.Go(func() { a.Run(ctx) })

	const errands = 200
	var mu sync.Mutex
	var all sync.WaitGroup
	done := map[int64]int64{}
	rng := rand.New(rand.NewPCG(1, 2))
	for range errands {
		at := clock.Now() + rng.Int64N(int64(100*time.Millisecond))
		all.Add(1)
		a.Add(at, func(_ context.Context, intended int64) {
			defer all.Done()
			mu.Lock()
			defer mu.Unlock()
			done[intended] = clock.Now()
		})
	}
	all.Wait()
	for intended, at := range done {
		if at < intended {
			t.Errorf("an errand was done %d ns early", intended-at)
		}
	}
	if len(done) != errands {
		t.Errorf("%d errands were done, want %d", len(done), errands)
	}
	cancel()
	ran.Wait()
}

func TestTheAgendaEndsWithItsContextAndLeavesTheRestUndone(t *testing.T) {
	clock := measure.NewClock()
	a := New(clock, 100)
	ctx, cancel := context.WithCancel(t.Context())
	begun := make(chan struct{})
	a.Add(clock.Now(), func(ctx context.Context, _ int64) {
		close(begun)
		<-ctx.Done()
	})
	a.Add(clock.Now()+int64(time.Hour), func(context.Context, int64) { t.Error("done an hour early") })
	go func() {
		<-begun
		cancel()
	}()
	a.Run(ctx)
}
