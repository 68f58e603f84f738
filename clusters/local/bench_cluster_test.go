//go:build cluster

package local

import (
	"context"
	"testing"
)

// The figures of quickstart's topology: three members, one for events.

func BenchmarkUp(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		o := options(b, sharded())
		o.Sink = nil
		b.StartTimer()
		c, err := Up(b.Context(), o)
		b.StopTimer()
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkReset(b *testing.B) {
	o := options(b, sharded())
	o.Sink = nil
	c := up(b, o)
	for b.Loop() {
		if err := c.Reset(b.Context(), c.Spec()); err != nil {
			b.Fatal(err)
		}
	}
}
