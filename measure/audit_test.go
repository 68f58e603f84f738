package measure

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/storm-harness/storm/internal/rundir"
)

func TestAccount(t *testing.T) {
	p := &path{via: LayerEtcd, shard: "main", prefix: "/w/", name: func(n uint64) string { return fmt.Sprint(n) }}
	acked := func(n uint64, intended, done, revision int64) write {
		return write{n: n, intended: intended * ms, done: done * ms, revision: revision}
	}
	restored := []Restore{{Shard: "main", Revision: 100, At: 1000 * ms}, {Shard: "events", Revision: 1, At: 9000 * ms}}
	for name, c := range map[string]struct {
		writes   []write
		stored   map[string]int64
		restores []Restore
		want     rundir.Audit
		example  string // in the only example; empty: none
	}{
		"all found": {
			writes: []write{acked(1, 0, 1, 10), acked(2, 1, 2, 11)},
			stored: map[string]int64{"/w/1": 10, "/w/2": 11},
			want:   rundir.Audit{Acked: 2, Found: 2},
		},
		"lost": {
			writes:  []write{acked(1, 0, 1, 10), acked(2, 1, 2, 11)},
			stored:  map[string]int64{"/w/1": 10},
			want:    rundir.Audit{Acked: 2, Found: 1, Lost: 1},
			example: "lost: /w/2, acknowledged at revision 11, 2ms into the trial, is not there",
		},
		"a timeout is neither found nor lost, whether it landed or not": {
			writes: []write{{n: 1, done: 5}, {n: 2, done: 6}},
			stored: map[string]int64{"/w/2": 12},
			want:   rundir.Audit{Unknown: 2},
		},
		"what was refused does not count": {
			writes: []write{{n: 1, done: 5, refused: true}},
			want:   rundir.Audit{},
		},
		"at another revision it is not the write that was acknowledged": {
			writes:  []write{acked(1, 0, 1, 10)},
			stored:  map[string]int64{"/w/1": 9},
			want:    rundir.Audit{Acked: 1, Lost: 1},
			example: "is there at revision 9",
		},
		"a restore takes back what is newer than the snapshot": {
			writes:   []write{acked(1, 0, 1, 100), acked(2, 1, 2, 101), acked(3, 2000, 2001, 101)},
			stored:   map[string]int64{"/w/1": 100, "/w/3": 101},
			restores: restored,
			want:     rundir.Audit{Acked: 3, Found: 2, Restored: 1},
		},
		"newer than the snapshot, and there": {
			writes:   []write{acked(1, 0, 1, 101)},
			stored:   map[string]int64{"/w/1": 101},
			restores: restored,
			want:     rundir.Audit{Acked: 1, Mismatch: 1},
			example:  "newer than the snapshot, and there",
		},
		"older than the snapshot, and gone": {
			writes:   []write{acked(1, 0, 1, 99)},
			restores: restored,
			want:     rundir.Audit{Acked: 1, Mismatch: 1},
			example:  "older than the snapshot, and not there",
		},
		"under way while the members were stopped: either is right": {
			writes:   []write{acked(1, 999, 1001, 101), acked(2, 999, 1001, 1_000_101)},
			stored:   map[string]int64{"/w/2": 1_000_101},
			restores: restored,
			want:     rundir.Audit{Acked: 2, Found: 1, Restored: 1},
		},
		"lost after a restore": {
			writes:   []write{acked(1, 2000, 2001, 500)},
			restores: restored,
			want:     rundir.Audit{Acked: 1, Lost: 1},
			example:  "is not there",
		},
		"two restores of one snapshot": {
			writes: []write{acked(1, 0, 1, 100), acked(2, 1500, 1501, 130), acked(3, 3000, 3001, 131)},
			stored: map[string]int64{"/w/1": 100, "/w/3": 131},
			restores: []Restore{
				{Shard: "main", Revision: 100, At: 1000 * ms},
				{Shard: "main", Revision: 100, At: 2000 * ms},
			},
			want: rundir.Audit{Acked: 3, Found: 2, Restored: 1},
		},
	} {
		got := account(p, c.writes, c.stored, c.restores).audit()
		examples := got.Examples
		got.Examples = nil
		c.want.Via, c.want.Shard = LayerEtcd, "main"
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
		if got.Acked != got.Found+got.Lost+got.Restored+got.Mismatch {
			t.Errorf("%s: an acknowledged write was not counted exactly once", name)
		}
		if c.example == "" && len(examples) > 0 || c.example != "" && (len(examples) != 1 || !strings.Contains(examples[0], c.example)) {
			t.Errorf("%s: examples %q, want one with %q", name, examples, c.example)
		}
	}
}

func TestExamplesAreFew(t *testing.T) {
	p := &path{prefix: "/w/", name: func(n uint64) string { return fmt.Sprint(n) }}
	var writes []write
	for n := range uint64(1000) {
		writes = append(writes, write{n: n, done: 1, revision: 5})
	}
	a := account(p, writes, nil, nil).audit()
	if a.Lost != 1000 || len(a.Examples) != maxExamples {
		t.Errorf("%d lost and %d examples", a.Lost, len(a.Examples))
	}
}
