package agenda

import (
	"context"
	"math/rand/v2"
	"runtime"
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

// What waits because as much is under way as there may be waits for that, and the
// context that it is given says how long; what comes due meanwhile has waited too.
func TestErrandsThatWaitForOthersAreHeld(t *testing.T) {
	clock := measure.NewClock()
	a := New(clock, 1)
	ctx, cancel := context.WithCancel(t.Context())
	var ran sync.WaitGroup
	ran.Go(func() { a.Run(ctx) })

	begun, release := make(chan struct{}), make(chan struct{})
	a.Add(clock.Now(), func(ctx context.Context, _ int64) {
		if held := measure.HeldIn(ctx); held != 0 {
			t.Errorf("the first was held for %d ns", held)
		}
		close(begun)
		<-release
	})
	<-begun
	const behind = 2
	var over sync.WaitGroup
	over.Add(behind)
	for range behind {
		a.Add(clock.Now(), func(ctx context.Context, intended int64) {
			defer over.Done()
			if held, late := measure.HeldIn(ctx), clock.Now()-intended; held <= 0 || held > late {
				t.Errorf("it is said to have been held for %d ns of %d", held, late)
			}
		})
	}
	for a.Len() == behind { // until it has come to the first of them, which then has to wait
		runtime.Gosched()
	}
	close(release)
	over.Wait()
	cancel()
	ran.Wait()
}

func TestHowLongAnErrandWasHeld(t *testing.T) {
	w := wait{from: 100, until: 200}
	for at, want := range map[int64]int64{50: 100, 100: 100, 150: 50, 200: 0, 250: -50} {
		if got := w.since(at); got != want {
			t.Errorf("due at %d: %d, want %d", at, got, want)
		}
	}
}
