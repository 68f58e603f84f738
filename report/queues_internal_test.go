package report

import (
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
)

// levelled is a valid trial with what two API servers said of a priority level.
func levelled(profile, level string, said ...map[string]float64) *trial {
	t := &trial{Planned: rundir.Planned{Profile: profile}, state: TrialValid, end: 10 * s}
	t.seen = seen{map[seenKey]*seenSample{}, map[string]bool{}}
	for i, families := range said {
		for name, v := range families {
			name, reason, _ := strings.Cut(name, "/")
			labels := map[string]string{"priority_level": level}
			if reason != "" {
				labels["reason"] = reason
			}
			t.seen.samples[seenKey{[]string{"kube-apiserver-0", "kube-apiserver-1"}[i], name + reason}] = &seenSample{name: flow + name, labels: labels, counted: 3, increase: v, peak: v}
		}
	}
	return t
}

// Where requests waited is said of the level where they waited longest, over all of
// a profile's trials: one that turned some away in a single trial of many turned some away. Of
// what nobody measured nothing is said.
func TestWhereRequestsWaited(t *testing.T) {
	const dispatched = "dispatched_requests_total"
	const waited, waits, queued, rejected = "request_wait_duration_seconds_sum", "request_wait_duration_seconds_count", "current_inqueue_requests", "rejected_requests_total"
	quiet := func(profile string) *trial {
		return levelled(profile, "workload-low", map[string]float64{dispatched: 100, waited: 0, waits: 100, queued: 0}, map[string]float64{waited: 0, waits: 100})
	}
	one, two := rundir.Run{Profiles: []rundir.Profile{{Name: "default"}}}, rundir.Run{Profiles: []rundir.Profile{{Name: "shared"}, {Name: "apart"}}}
	for name, c := range map[string]struct {
		run    rundir.Run
		trials []*trial
		want   string
	}{
		"nothing measured": {one, []*trial{{state: TrialValid}}, ""},
		"nobody waited":    {one, []*trial{quiet("default"), quiet("default")}, "Requests waited for a seat in no priority level, and none was turned away."},
		"in one trial of three, at one server of two": {one, []*trial{quiet("default"), quiet("default"), levelled("default", "workload-low",
			map[string]float64{waited: 80, waits: 100, queued: 200, rejected + "/queue-full": 40, rejected + "/time-out": 3}, map[string]float64{waited: 0, waits: 500},
		)}, "In the measured phases requests waited longest for a seat in the priority level workload-low (80 ms on average over all of its requests, in 1 trial), and in all trials were turned away: 40 by workload-low (queue-full) and 3 by workload-low (time-out)."},
		"between two scrapes": {one, []*trial{levelled("default", "system", map[string]float64{dispatched: 100, waited: 5, waits: 100})}, "priority level system (50 ms on average over all of its requests, in 1 trial), and none was turned away."},
		"turned away at once": {one, []*trial{levelled("default", "catch-all", map[string]float64{rejected + "/concurrency-limit": 7})}, "waited for a seat in no priority level, and in all trials were turned away: 7 by catch-all (concurrency-limit)."},
		"more with one than with the other, and in another level too": {two, []*trial{
			levelled("shared", "workload-low", map[string]float64{dispatched: 100, waited: 82, waits: 100, queued: 200}), levelled("apart", "workload-low", map[string]float64{dispatched: 100, waited: 1, waits: 100, queued: 2}),
			levelled("apart", "global-default", map[string]float64{dispatched: 100, waited: .1, waits: 100, queued: 1, rejected + "/time-out": 50_000}),
		}, "workload-low with shared (820 ms on average over all of its requests, in 1 trial), and in global-default too, and in all trials were turned away: 50,000 by global-default (time-out)."},
	} {
		if got := queues(levelLoads(c.run, c.trials), len(c.run.Profiles) > 1); got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	invalid := levelled("default", "workload-low", map[string]float64{queued: 9})
	invalid.state = TrialInvalid
	if got := queues(levelLoads(one, []*trial{invalid}), false); got != "" {
		t.Errorf("of an invalid trial: %q", got)
	}
}

func TestTheSlowestDisk(t *testing.T) {
	disks := []ShardLoad{{Shard: "main", Profile: "shared", Fsync: .002}, {Shard: "events", Profile: "apart", Fsync: .0053}, {Shard: "leases", Fsync: Missing()}}
	for _, c := range []struct {
		profiles int
		shards   []ShardLoad
		want     string
	}{
		{2, disks, "etcd's log took 5.3 ms on average to reach the disk (shard events with apart)."},
		{1, disks[:1], "etcd's log took 2 ms on average to reach the disk (shard main)."},
		{1, disks[2:], ""},
	} {
		if got := slowestDisk(c.shards, c.profiles > 1); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
