package report

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/storm-harness/storm/internal/rundir"
)

// LevelLoad is what one priority level of the API servers (API Priority and
// Fairness) did under a profile, in the measured phases: medians over the valid
// block trials, by the servers' own metrics, all servers together. Levels that
// dispatched nothing in the median trial, and rejected nothing in any, are left out.
type LevelLoad struct {
	Profile    string  `json:"profile"`
	Level      string  `json:"level"`
	Trials     int     `json:"trials"`
	Dispatched Number  `json:"dispatched"` // requests a second that were let through
	Rejected   Number  `json:"rejected"`   // requests a trial, answered with 429
	Reasons    []Count `json:"reasons"`    // why they were rejected, in sum over the trials
	Wait       Number  `json:"wait"`       // mean time in the queue, seconds
	// WaitP99 is the least bound, of those the servers count by, that 99 % of all
	// trials' requests waited at most; infinite where it is beyond the last.
	WaitP99 Number `json:"waitP99"`
	Queued  Number `json:"queued"` // most requests in the queue, as sampled every 2 s
	Seats   Number `json:"seats"`  // most seats in use, as sampled every 2 s
	Limit   Number `json:"limit"`  // seats that the level may use, the most it had

	waiting int     // trials in which requests waited for a seat
	waited  float64 // seconds, the mean over the requests of all trials
}

// Count is how often something was seen.
type Count struct {
	Name string `json:"name"`
	N    uint64 `json:"n"`
}

const flow = "apiserver_flowcontrol_"

// noWait is a mean wait of a level's requests, in seconds, that is none: what it takes to
// be given a seat that is free.
const noWait = 0.001

// levelLoads are the levels of every profile, the busiest first.
func levelLoads(run rundir.Run, trials []*trial) []LevelLoad {
	var out []LevelLoad
	for _, p := range run.Profiles {
		levels := map[string]*levelOf{}
		for _, t := range blockTrials(trials, p.Name) {
			for name, l := range t.levels() {
				if levels[name] == nil {
					levels[name] = &levelOf{reasons: map[string]float64{}, within: map[float64]float64{}}
				}
				levels[name].add(l, t.seconds(rundir.Gate{}))
			}
		}
		var rows []LevelLoad
		for name, l := range levels {
			if row := l.result(); row.Dispatched > 0 || len(row.Reasons) > 0 {
				row.Profile, row.Level = p.Name, name
				rows = append(rows, row)
			}
		}
		slices.SortFunc(rows, func(a, b LevelLoad) int {
			return cmp.Or(cmp.Compare(b.Dispatched, a.Dispatched), cmp.Compare(a.Level, b.Level))
		})
		out = append(out, rows...)
	}
	return out
}

// levelSeen is a level in one trial, over all API servers.
type levelSeen struct {
	dispatched, rejected, waited, waits float64
	queued, seats, limit                float64
	reasons                             map[string]float64
	within                              map[float64]float64 // requests that waited at most so many seconds
}

// levels are the priority levels of a trial.
func (t *trial) levels() map[string]*levelSeen {
	out := map[string]*levelSeen{}
	for _, s := range t.seen.samples {
		level, of := s.labels["priority_level"]
		if !of || s.counted == 0 {
			continue
		}
		l := out[level]
		if l == nil {
			l = &levelSeen{reasons: map[string]float64{}, within: map[float64]float64{}}
			out[level] = l
		}
		switch s.name {
		case flow + "dispatched_requests_total":
			l.dispatched += s.increase
		case flow + "rejected_requests_total":
			l.rejected += s.increase
			l.reasons[s.labels["reason"]] += s.increase
		case flow + "request_wait_duration_seconds_sum":
			l.waited += s.increase
		case flow + "request_wait_duration_seconds_count":
			l.waits += s.increase
		case flow + "request_wait_duration_seconds_bucket":
			if le, err := strconv.ParseFloat(s.labels["le"], 64); err == nil {
				l.within[le] += s.increase
			}
		case flow + "current_inqueue_requests":
			l.queued += s.peak
		case flow + "current_executing_seats":
			l.seats += s.peak
		case flow + "current_limit_seats":
			l.limit += s.peak
		}
	}
	return out
}

// levelOf is a level's row while its trials are added.
type levelOf struct {
	dispatched, rejected, wait, queued, seats, limit []float64
	reasons                                          map[string]float64
	waited, waits                                    float64
	waiting                                          int
	within                                           map[float64]float64
}

func (r *levelOf) add(l *levelSeen, span float64) {
	if span > 0 {
		r.dispatched = append(r.dispatched, l.dispatched/span)
	}
	r.rejected = append(r.rejected, l.rejected)
	if l.waits > 0 {
		r.wait = append(r.wait, l.waited/l.waits)
	}
	if l.queued >= 1 || l.waits > 0 && l.waited/l.waits >= noWait {
		r.waiting++
	}
	r.queued, r.seats, r.limit = append(r.queued, l.queued), append(r.seats, l.seats), append(r.limit, l.limit)
	r.waited, r.waits = r.waited+l.waited, r.waits+l.waits
	for k, n := range l.reasons {
		r.reasons[k] += n
	}
	for k, n := range l.within {
		r.within[k] += n
	}
}

func (r *levelOf) result() LevelLoad {
	out := LevelLoad{
		Trials: len(r.rejected), Dispatched: middle(r.dispatched), Rejected: middle(r.rejected), Reasons: []Count{},
		Wait: middle(r.wait), WaitP99: Missing(), Queued: middle(r.queued), Seats: middle(r.seats), Limit: middle(r.limit),
		waiting: r.waiting,
	}
	if r.waits > 0 {
		out.waited = r.waited / r.waits
	}
	for _, name := range slices.Sorted(maps.Keys(r.reasons)) {
		if n := r.reasons[name]; n >= 1 {
			out.Reasons = append(out.Reasons, Count{name, uint64(n)})
		}
	}
	if r.waits >= 100 {
		out.WaitP99 = Number(math.Inf(1))
		for _, le := range slices.Sorted(maps.Keys(r.within)) {
			if r.within[le] >= 0.99*r.waits {
				out.WaitP99 = Number(le)
				break
			}
		}
	}
	return out
}
