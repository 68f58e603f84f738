package report

import (
	"cmp"
	"slices"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/stats"
)

// bands are the phases and acts of the group: at the median of the valid
// trials' times, or of all where none is valid.
func bands(group []*trial) []Band {
	of := slices.DeleteFunc(slices.Clone(group), func(t *trial) bool { return t.state != TrialValid })
	if len(of) == 0 {
		of = group
	}
	type key struct {
		name, sort string
		nth        int
	}
	type edges struct{ from, to []float64 }
	var rows table[key, edges]
	var keys []key
	for _, t := range of {
		nth := map[key]int{}
		add := func(name, sort string, from, to int64) {
			k := key{name: name, sort: sort}
			nth[k]++
			k.nth = nth[k]
			if _, seen := rows.at[k]; !seen {
				keys = append(keys, k)
			}
			e := rows.row(k, func() edges { return edges{} })
			e.from = append(e.from, float64(from-t.grid.zero)/1e9)
			e.to = append(e.to, float64(to-t.grid.zero)/1e9)
		}
		for _, p := range t.done.Phases {
			add(p.Name, "phase", p.From, p.To)
		}
		for _, a := range t.done.Acts {
			add(a.Name, a.Sort, a.Intended, actEnd(a, t.end))
		}
	}
	out := make([]Band, 0, len(keys))
	for i, k := range keys {
		e := rows.rows[i]
		slices.Sort(e.from)
		slices.Sort(e.to)
		out = append(out, Band{Name: k.name, Sort: k.sort, From: stats.Median(e.from), To: stats.Median(e.to)})
	}
	slices.SortStableFunc(out, func(a, b Band) int { return cmp.Compare(a.From, b.From) })
	return out
}

// actEnd is when an act was over, as far as is known.
func actEnd(a rundir.Act, end int64) int64 {
	if a.Healed > 0 {
		return a.Healed
	}
	if a.Sort == "operation" && a.Proven > 0 {
		return a.Proven
	}
	if a.Injected == 0 && a.Error != "" {
		return a.Intended // it was never done
	}
	return max(end, a.Intended)
}

// marks are the events worth a mark on the axis.
func marks(group []*trial) []Mark {
	var out []Mark
	for _, t := range group {
		for _, e := range t.events {
			if e.Kind == rundir.EventLeaderChange || e.Kind == rundir.EventAlarm || e.Kind == rundir.EventExit {
				out = append(out, Mark{
					Moment: Moment{float64(e.At-t.grid.zero) / 1e9, e.Kind, e.Subject, e.Text},
					Trial:  t.ID, Profile: t.Profile,
				})
			}
		}
	}
	return out
}
