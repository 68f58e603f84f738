package workloads

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

// A preparation makes each object once, and says how far it came.
func TestFill(t *testing.T) {
	var told, calls atomic.Int64
	env := &Env{Name: "base", Progress: func(done, total int) {
		told.Store(max(told.Load(), int64(done)))
		if total != 5000 {
			t.Errorf("told of %d", total)
		}
	}}
	made := make([]atomic.Int64, 5000)
	err := fill(t.Context(), env, 8, 5000, "secret", func(_ context.Context, i int) error {
		made[i].Add(1)
		return nil
	})
	if err != nil || told.Load() != 5000 {
		t.Errorf("told of %d, %v", told.Load(), err)
	}
	for i := range made {
		if made[i].Load() != 1 {
			t.Errorf("object %d was made %d times", i, made[i].Load())
		}
	}
	refused := errors.New("refused")
	err = fill(t.Context(), env, 1, 5000, "secret", func(_ context.Context, i int) error {
		if calls.Add(1); i == 1234 {
			return refused
		}
		return nil
	})
	if !errors.Is(err, refused) || !strings.Contains(err.Error(), "workload base: secret 1234, after 1,234 of 5,000: refused") || calls.Load() != 1235 {
		t.Errorf("got %v after %d calls", err, calls.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := fill(ctx, env, 4, 10, "secret", func(context.Context, int) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("ended by its context: %v", err)
	}
}
