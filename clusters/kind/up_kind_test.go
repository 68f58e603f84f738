//go:build kind

package kind_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/kind"
	"github.com/storm-harness/storm/clusters/kind/kindtest"
)

// BenchmarkUp holds storm's time for a cluster of one node, golden copy included,
// against that of kind alone for one of the same image. They take turns.
func BenchmarkUp(b *testing.B) {
	var theirs, ours time.Duration
	n := 0
	for b.Loop() {
		name := fmt.Sprintf("bench-%d-%d", os.Getpid(), n)
		began := time.Now()
		remove := kindtest.Theirs(b, name, filepath.Join(b.TempDir(), "kubeconfig"))
		theirs += time.Since(began)
		if err := remove(); err != nil {
			b.Fatal(err)
		}
		o := kindtest.Options(b, clusters.Spec{})
		o.Sink = clusters.Discard
		began = time.Now()
		c, err := kind.Up(b.Context(), o)
		if err != nil {
			b.Fatal(err)
		}
		ours += time.Since(began)
		if err := c.Close(context.Background()); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(theirs.Seconds()/float64(n), "s-kind")
	b.ReportMetric(ours.Seconds()/float64(n), "s-storm")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "ratio")
}

// BenchmarkReset is what a cluster of one node takes to go back to its golden copy in
// place, and what it takes to be made anew, which is the other way.
func BenchmarkReset(b *testing.B) {
	o := kindtest.Options(b, clusters.Spec{})
	o.Sink = clusters.Discard
	began := time.Now()
	c, err := kind.Up(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	up := time.Since(began)
	defer func() {
		if err := c.Close(context.Background()); err != nil {
			b.Error(err)
		}
	}()
	for b.Loop() {
		if err := c.Reset(b.Context(), c.Spec()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(up.Seconds(), "s-anew")
	b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s-in-place")
}
