package data

import (
	"testing"

	"github.com/storm-harness/storm/clusters"
)

func TestRestoresOfOneSnapshotShareATokenOnce(t *testing.T) {
	a, b := clusters.ID{Kind: clusters.KindEtcd, Shard: "main"}, clusters.ID{Kind: clusters.KindEtcd, Shard: "main", Index: 1}
	var r Restores
	for i, step := range []struct {
		id     clusters.ID
		source string
		want   int
	}{
		{a, "x", 1}, {b, "x", 1}, // all members from one snapshot: one restore
		{b, "x", 2}, {a, "x", 2}, // the same again: another
		{a, "x", 3}, {a, "x", 4}, // cut short after one member, and taken up again
		{b, "x", 4},
		{b, "y", 5}, {a, "y", 5},
	} {
		if got := r.Next(step.id, step.source); got != step.want {
			t.Errorf("step %d: restore %d, want %d", i, got, step.want)
		}
	}
}
