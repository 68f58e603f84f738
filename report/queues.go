package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
)

// queueSeen is what a profile's requests met in a priority level, in all of its valid
// block trials.
type queueSeen struct {
	profile, level string
	trials         int     // in which requests waited for a seat
	waited, waits  float64 // seconds in sum, and requests, those that did not wait included
	reasons        map[string]float64
}

// wait is the mean over all requests.
func (q queueSeen) wait() float64 {
	if q.waits == 0 {
		return 0
	}
	return q.waited / q.waits
}

// noWait is a mean wait of a level's requests that is none: what it takes to be given a
// seat that is free.
const noWait = 0.001

func (q *queueSeen) add(l *levelSeen) {
	if l.queued >= 1 || l.waits > 0 && l.waited/l.waits >= noWait {
		q.trials++
	}
	q.waited, q.waits = q.waited+l.waited, q.waits+l.waits
	for reason, n := range l.reasons {
		q.reasons[reason] += n
	}
}

// queues says in which priority level of the API servers requests waited longest for a
// seat in the measured phases, and which turned some away; empty where no level was
// measured.
func queues(run rundir.Run, trials []*trial) string {
	var all []queueSeen
	for _, p := range run.Profiles {
		levels := map[string]*queueSeen{}
		for _, t := range blockTrials(trials, p.Name) {
			for name, l := range t.levels() {
				if levels[name] == nil {
					levels[name] = &queueSeen{profile: p.Name, level: name, reasons: map[string]float64{}}
				}
				levels[name].add(l)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(levels)) {
			all = append(all, *levels[name])
		}
	}
	if len(all) == 0 {
		return ""
	}
	return waitedLongest(all, len(run.Profiles) > 1) + ", and " + turnedAway(all) + "."
}

func waitedLongest(all []queueSeen, compared bool) string {
	waiting := slices.DeleteFunc(slices.Clone(all), func(q queueSeen) bool { return q.trials == 0 })
	if len(waiting) == 0 {
		return "Requests waited for a seat in no priority level"
	}
	slices.SortStableFunc(waiting, func(a, b queueSeen) int { return cmp.Compare(b.wait(), a.wait()) })
	most := waiting[0]
	text := "In the measured phases requests waited longest for a seat in the priority level " + most.level
	if compared {
		text += " with " + most.profile
	}
	text += fmt.Sprintf(" (%s on average over all of its requests, in %s)", formatSeconds(most.wait()), unit.Count(most.trials, "trial"))
	var others []string
	for _, q := range waiting {
		if q.level != most.level && !slices.Contains(others, q.level) {
			others = append(others, q.level)
		}
	}
	if len(others) > 0 {
		text += ", and in " + listed(others) + " too"
	}
	return text
}

// turnedAway names the levels that turned requests away, with how many in all trials.
func turnedAway(all []queueSeen) string {
	type key struct{ level, reason string }
	away := map[key]float64{}
	for _, q := range all {
		for reason, n := range q.reasons {
			away[key{q.level, reason}] += n
		}
	}
	var said []string
	for _, k := range slices.SortedFunc(maps.Keys(away), func(a, b key) int {
		return cmp.Or(cmp.Compare(away[b], away[a]), cmp.Compare(a.level, b.level), cmp.Compare(a.reason, b.reason))
	}) {
		if n := away[k]; n >= 1 {
			said = append(said, fmt.Sprintf("%s by %s (%s)", unit.Grouped(uint64(n)), k.level, k.reason))
		}
	}
	if len(said) == 0 {
		return "none was turned away"
	}
	return "in all trials were turned away: " + listed(said)
}

// slowestDisk is the shard whose log took longest to reach the disk, by the median over
// trials; empty where none was measured.
func slowestDisk(run rundir.Run, shards []ShardLoad) string {
	seen := slices.DeleteFunc(slices.Clone(shards), func(s ShardLoad) bool { return !(s.Fsync > 0) })
	if len(seen) == 0 {
		return ""
	}
	worst := slices.MaxFunc(seen, func(a, b ShardLoad) int { return cmp.Compare(a.Fsync, b.Fsync) })
	under := ""
	if len(run.Profiles) > 1 {
		under = " with " + worst.Profile
	}
	return fmt.Sprintf("etcd's log took %s on average to reach the disk (shard %s%s).", formatSeconds(worst.Fsync.Float()), worst.Shard, under)
}
