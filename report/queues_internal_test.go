package report

import (
	"strings"
	"testing"
)

// A control plane may be at a limit that is none of the processors'; of what nobody
// measured nothing is said.
func TestWhatWasFullBesideTheProcessors(t *testing.T) {
	busy := LevelLoad{Profile: "shared", Level: "workload-low", Dispatched: 40, Queued: 200, Seats: 2, Limit: 2, Wait: .82, Rejected: 61}
	other := LevelLoad{Profile: "shared", Level: "global-default", Dispatched: 4, Queued: 3, Seats: 9, Limit: 9, Wait: .1}
	again := busy
	again.Profile, again.Wait = "apart", .4
	quiet := LevelLoad{Profile: "shared", Level: "node-high", Dispatched: 500, Queued: 0, Seats: 12, Limit: 98, Wait: 0}
	passing := LevelLoad{Profile: "shared", Level: "system", Dispatched: 50, Queued: 4, Seats: 12, Limit: 98, Wait: .001}
	refusing := LevelLoad{Profile: "shared", Level: "catch-all", Dispatched: 1, Queued: 0, Seats: 1, Limit: 3, Wait: Missing(), Rejected: 7}
	disks := []ShardLoad{{Shard: "main", Profile: "shared", Fsync: .002}, {Shard: "events", Profile: "apart", Fsync: .0053}, {Shard: "leases", Fsync: Missing()}}
	for name, c := range map[string]struct {
		levels []LevelLoad
		shards []ShardLoad
		want   string
	}{
		"nothing measured": {nil, []ShardLoad{{Shard: "main"}}, ""},
		"nothing full":     {[]LevelLoad{quiet, passing}, nil, "No priority level of the API servers had all of its seats in use and requests waiting when it was asked, every 2 s, nor turned any away."},
		"full":             {[]LevelLoad{quiet, other, busy, again}, nil, "The API servers' priority level workload-low was full with shared: 2 of its 2 seats in use at most, 200 requests waiting, 820 ms on average, and 61 turned away a trial; so was global-default."},
		"turned away":      {[]LevelLoad{quiet, refusing}, nil, "level catch-all was full with shared: 1 of its 3 seats in use at most, 0 requests waiting, 0 s on average, and 7 turned away"},
		"a disk":           {nil, disks, "etcd's log took 5.3 ms on average to reach the disk, at the slowest member of shard events with apart."},
		"both":             {[]LevelLoad{quiet}, disks, "turned any away. etcd's log took"},
	} {
		if got := queues(c.levels, c.shards); got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
