package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/storm-harness/storm/internal/unit"
)

// queues says in which priority level of the API servers requests waited longest for a
// seat in the measured phases, and which turned some away; empty where no level was
// measured.
func queues(levels []LevelLoad, compared bool) string {
	if len(levels) == 0 {
		return ""
	}
	return waitedLongest(levels, compared) + ", and " + turnedAway(levels) + "."
}

func waitedLongest(levels []LevelLoad, compared bool) string {
	waiting := slices.DeleteFunc(slices.Clone(levels), func(l LevelLoad) bool { return l.waiting == 0 })
	if len(waiting) == 0 {
		return "Requests waited for a seat in no priority level"
	}
	slices.SortStableFunc(waiting, func(a, b LevelLoad) int { return cmp.Compare(b.waited, a.waited) })
	most := waiting[0]
	text := "In the measured phases requests waited longest for a seat in the priority level " + most.Level
	if compared {
		text += " with " + most.Profile
	}
	text += fmt.Sprintf(" (%s on average over all of its requests, in %s)", formatSeconds(most.waited), unit.Count(most.waiting, "trial"))
	var others []string
	for _, l := range waiting {
		if l.Level != most.Level && !slices.Contains(others, l.Level) {
			others = append(others, l.Level)
		}
	}
	if len(others) > 0 {
		text += ", and in " + listed(others) + " too"
	}
	return text
}

// turnedAway names the levels that turned requests away, with how many in all trials.
func turnedAway(levels []LevelLoad) string {
	type key struct{ level, reason string }
	away := map[key]uint64{}
	for _, l := range levels {
		for _, reason := range l.Reasons {
			away[key{l.Level, reason.Name}] += reason.N
		}
	}
	var said []string
	for _, k := range slices.SortedFunc(maps.Keys(away), func(a, b key) int {
		return cmp.Or(cmp.Compare(away[b], away[a]), cmp.Compare(a.level, b.level), cmp.Compare(a.reason, b.reason))
	}) {
		said = append(said, fmt.Sprintf("%s by %s (%s)", unit.Grouped(away[k]), k.level, k.reason))
	}
	if len(said) == 0 {
		return "none was turned away"
	}
	return "in all trials were turned away: " + listed(said)
}

// slowestDisk is the shard whose log took longest to reach the disk, by the median over
// trials; empty where none was measured.
func slowestDisk(shards []ShardLoad, compared bool) string {
	seen := slices.DeleteFunc(slices.Clone(shards), func(s ShardLoad) bool { return !(s.Fsync > 0) })
	if len(seen) == 0 {
		return ""
	}
	worst := slices.MaxFunc(seen, func(a, b ShardLoad) int { return cmp.Compare(a.Fsync, b.Fsync) })
	under := ""
	if compared {
		under = " with " + worst.Profile
	}
	return fmt.Sprintf("etcd's log took %s on average to reach the disk (shard %s%s).", formatSeconds(worst.Fsync.Float()), worst.Shard, under)
}
