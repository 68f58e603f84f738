package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// queues says what of the control plane was at a limit that is none of the
// processors', or near one: a priority level without a seat left, and how long etcd
// waited for its disk. Empty where neither was measured.
func queues(levels []LevelLoad, shards []ShardLoad) string {
	return strings.TrimSpace(fullLevels(levels) + " " + slowestDisk(shards))
}

// fullLevels are the priority levels that had no seat left while requests waited for
// one, or that turned some away: the one where they waited longest, under the profile
// where they did, and the names of the others.
func fullLevels(levels []LevelLoad) string {
	if len(levels) == 0 {
		return ""
	}
	full := slices.DeleteFunc(slices.Clone(levels), func(l LevelLoad) bool {
		return !(l.Queued >= 1 && l.Seats >= l.Limit) && !(l.Rejected >= 1)
	})
	if len(full) == 0 {
		return "No priority level of the API servers had all of its seats in use and requests waiting when it was asked, every 2 s, nor turned any away."
	}
	wait := func(l LevelLoad) float64 {
		if l.Wait.Is() {
			return l.Wait.Float()
		}
		return 0 // none waited
	}
	slices.SortStableFunc(full, func(a, b LevelLoad) int { return cmp.Compare(wait(b), wait(a)) })
	worst := full[0]
	text := fmt.Sprintf("The API servers' priority level %s was full%s: %s of its %s seats in use at most, %s requests waiting, %s on average, and %s turned away a trial",
		worst.Level, under(worst.Profile), count(worst.Seats), count(worst.Limit), count(worst.Queued), formatSeconds(wait(worst)), count(worst.Rejected))
	var others []string
	for _, l := range full[1:] {
		if l.Level != worst.Level && !slices.Contains(others, l.Level) {
			others = append(others, l.Level)
		}
	}
	if len(others) > 0 {
		text += "; so was " + listed(others)
	}
	return text + "."
}

func count(n Number) string { return Format(n, "count") }

// under names the profile; nothing where there is one without a name.
func under(profile string) string {
	if profile == "" {
		return ""
	}
	return " with " + profile
}

// slowestDisk is the shard whose log took longest to reach the disk.
func slowestDisk(shards []ShardLoad) string {
	seen := slices.DeleteFunc(slices.Clone(shards), func(s ShardLoad) bool { return !(s.Fsync > 0) })
	if len(seen) == 0 {
		return ""
	}
	worst := slices.MaxFunc(seen, func(a, b ShardLoad) int { return cmp.Compare(a.Fsync, b.Fsync) })
	return fmt.Sprintf("etcd's log took %s on average to reach the disk, at the slowest member of shard %s%s.", formatSeconds(worst.Fsync.Float()), worst.Shard, under(worst.Profile))
}
