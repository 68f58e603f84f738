package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
)

// queueSeen is what requests waited for a seat in a priority level, in all valid block
// trials of a profile.
type queueSeen struct {
	profile, level string
	trials         int     // in which requests were seen waiting, or were turned away
	most           float64 // at once, as asked every 2 s
	waited, waits  float64 // seconds in sum, and requests
	reasons        map[string]float64
}

func (q queueSeen) wait() float64 {
	if q.waits == 0 {
		return 0
	}
	return q.waited / q.waits
}

// queues says in which priority level of the API servers requests waited longest, of
// those in which any were seen waiting or were turned away, in the measured phases;
// empty where no level was measured.
func queues(run rundir.Run, trials []*trial) string {
	var all []queueSeen
	measured := false
	for _, p := range run.Profiles {
		levels := map[string]*queueSeen{}
		for _, t := range blockTrials(trials, p.Name) {
			for name, l := range t.levels() {
				measured = true
				if levels[name] == nil {
					levels[name] = &queueSeen{profile: p.Name, level: name, reasons: map[string]float64{}}
				}
				levels[name].add(l)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(levels)) {
			if q := levels[name]; q.trials > 0 {
				all = append(all, *q)
			}
		}
	}
	switch {
	case !measured:
		return ""
	case len(all) == 0:
		return "In the measured phases no request was seen waiting for a seat in any priority level of the API servers, looked at every 2 s, and none was turned away."
	}
	slices.SortStableFunc(all, func(a, b queueSeen) int { return cmp.Compare(b.wait(), a.wait()) })
	return all[0].text(len(run.Profiles) > 1) + othersOf(all) + "."
}

func (q *queueSeen) add(l *levelSeen) {
	if l.queued >= 1 || l.rejected >= 1 {
		q.trials++
	}
	q.most = max(q.most, l.queued)
	q.waited, q.waits = q.waited+l.waited, q.waits+l.waits
	for reason, n := range l.reasons {
		q.reasons[reason] += n
	}
}

// text is the first half of a sentence.
func (q queueSeen) text(compared bool) string {
	s := fmt.Sprintf("In the measured phases requests waited for a seat in the API servers' priority level %s in %s", q.level, unit.Count(q.trials, "trial"))
	if compared {
		s += " with " + q.profile
	}
	s += fmt.Sprintf(": %s on average over all of its requests, and %s at once at most", formatSeconds(q.wait()), digits(q.most))
	for _, reason := range slices.Sorted(maps.Keys(q.reasons)) {
		if n := q.reasons[reason]; n >= 1 {
			s += fmt.Sprintf("; %s turned away (%s)", unit.Count(int(n), "request"), reason)
		}
	}
	return s
}

// othersOf names the other levels.
func othersOf(all []queueSeen) string {
	var others []string
	for _, q := range all {
		if q.level != all[0].level && !slices.Contains(others, q.level) {
			others = append(others, q.level)
		}
	}
	if len(others) == 0 {
		return ""
	}
	return "; less in " + listed(others)
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
	return fmt.Sprintf("etcd's log took %s on average to reach the disk, at the slowest member of shard %s%s.", formatSeconds(worst.Fsync.Float()), worst.Shard, under)
}
