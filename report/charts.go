package report

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"sort"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/stats"
)

// charts draws the block trials over each other, then each tour.
func charts(trials []*trial) []ChartGroup {
	var tours []string
	for _, t := range trials {
		if t.drawn() && !slices.Contains(tours, t.Tour) {
			tours = append(tours, t.Tour)
		}
	}
	sort.SliceStable(tours, func(i, k int) bool { return tours[i] == "" && tours[k] != "" })
	var out []ChartGroup
	for _, tour := range tours {
		var group []*trial
		for _, t := range trials {
			if t.Tour == tour && t.drawn() {
				group = append(group, t)
			}
		}
		out = append(out, chartGroup(tour, group))
	}
	return out
}

// drawn says whether a trial is in the charts.
func (t *trial) drawn() bool { return t.state != TrialMissing && !t.Discarded }

func chartGroup(tour string, group []*trial) ChartGroup {
	out := ChartGroup{
		Title: "Tour " + tour, Tour: tour, Zero: "the trial's origin",
		Bands: full(bands(group)), Marks: full(marks(group)), Chart: []Chart{},
	}
	if tour == "" {
		out.Title = fmt.Sprintf("The trials of all blocks (%d)", len(group))
	}
	if group[0].acted {
		out.Zero = "the intended instant of the first fault or operation"
	}
	for i, t := range group {
		from, to := float64(t.grid.edge(0)-t.grid.zero)/1e9, float64(t.end-t.grid.zero)/1e9
		if i == 0 {
			out.From, out.To = from, to
		}
		out.From, out.To = min(out.From, from), max(out.To, to)
	}
	for _, d := range drawings {
		c := d.chart
		for _, t := range group {
			parts := d.of(t)
			for _, part := range slices.Sorted(maps.Keys(parts)) {
				if l, ok := line(t, part, parts[part]); ok {
					c.Lines = append(c.Lines, l)
				}
			}
		}
		if len(c.Lines) > 0 {
			c.Lines = append(c.Lines, medians(c.Lines)...)
			out.Chart = append(out.Chart, c)
		}
	}
	return out
}

// drawing is a chart, and how to get a trial's values for it: one a bin of the
// grid, by part.
type drawing struct {
	chart Chart
	of    func(*trial) map[string][]float64
}

var drawings = []drawing{
	{Chart{Name: "latency.p50.mutating", Title: "Median latency of mutating requests", Unit: "seconds", Log: true}, quantileLine(mutating, 0.5)},
	{Chart{Name: "latency.p99.mutating", Title: "p99 latency of mutating requests", Unit: "seconds", Log: true}, quantileLine(mutating, 0.99)},
	{Chart{Name: "latency.p50.read", Title: "Median latency of read requests", Unit: "seconds", Log: true}, quantileLine(reading, 0.5)},
	{Chart{Name: "latency.p99.read", Title: "p99 latency of read requests", Unit: "seconds", Log: true}, quantileLine(reading, 0.99)},
	{Chart{Name: "throughput", Title: "Requests that succeeded, a second", Unit: "per second"}, binLine(func(b *timeBin) float64 { return b.ok })},
	{Chart{Name: "errors", Title: "Requests that failed, a second", Unit: "per second"}, binLine(func(b *timeBin) float64 { return b.failed })},
	{Chart{Name: "leader.changes", Title: "Leader changes", Unit: "count"}, leaderLine},
	{Chart{Name: "memory", Title: "Resident memory", Unit: "bytes"}, memoryLine},
	{Chart{Name: "cpu", Title: "Processors in use", Unit: "count"}, cpuLine},
	{Chart{Name: "etcd.dbsize", Title: "Size of etcd's database file", Unit: "bytes"}, sizeLine},
}

// quantileLine is the quantile in each bin. In a bin of a second a p99 of few
// requests is the slowest of them; the chart shows the shape, the tables judge.
func quantileLine(g group, q float64) func(*trial) map[string][]float64 {
	return func(t *trial) map[string][]float64 {
		v := t.empty()
		for i := range t.bins {
			v[i] = min(t.bins[i].hist[g].Seconds(q), longest) // the line stays at the top rather than break
		}
		return map[string][]float64{"": v}
	}
}

func binLine(of func(*timeBin) float64) func(*trial) map[string][]float64 {
	return func(t *trial) map[string][]float64 {
		v := t.empty()
		for i := range t.bins {
			if t.inside(i) {
				v[i] = of(&t.bins[i]) / (float64(t.grid.step) / 1e9)
			}
		}
		return map[string][]float64{"": v}
	}
}

// empty is a line without values.
func (t *trial) empty() []float64 {
	v := make([]float64, max(0, t.grid.n))
	for i := range v {
		v[i] = math.NaN()
	}
	return v
}

// inside says whether the trial fills the whole bin: half a bin at its end
// would look like a drop.
func (t *trial) inside(bin int) bool {
	return t.grid.edge(bin) >= 0 && t.grid.edge(bin+1) <= t.end
}

func leaderLine(t *trial) map[string][]float64 {
	out := map[string][]float64{}
	for _, e := range t.events {
		b := t.grid.at(e.At)
		if e.Kind != rundir.EventLeaderChange || b < 0 || b >= t.grid.n {
			continue
		}
		if out[e.Subject] == nil {
			v := t.empty()
			for i := range v {
				if t.inside(i) {
					v[i] = 0
				}
			}
			out[e.Subject] = v
		}
		if v := &out[e.Subject][b]; math.IsNaN(*v) {
			*v = 1
		} else {
			*v++
		}
	}
	return out
}

func memoryLine(t *trial) map[string][]float64 {
	out := map[string][]float64{}
	for name, list := range t.procs {
		samples := make([]sample, len(list))
		for i, p := range list {
			samples[i] = sample{p.at, p.rss}
		}
		out[name] = t.last(samples)
	}
	return out
}

func sizeLine(t *trial) map[string][]float64 {
	out := map[string][]float64{}
	for name, list := range t.size {
		out[name] = t.last(list)
	}
	return out
}

// carried is how long a sample stands where none follows, ns: components are
// scraped every second or two, and one that fell silent for longer is a gap.
const carried = 5_000_000_000

// last is the last sample of each bin. A bin between two samples has the one
// before it; or the median over trials, which are sampled at different
// instants, would be of other trials in every bin.
func (t *trial) last(list []sample) []float64 {
	v := t.empty()
	for i, s := range list {
		b := t.grid.at(s.at)
		if b < 0 || b >= len(v) {
			continue
		}
		v[b] = s.v
		if i+1 == len(list) || list[i+1].at-s.at > carried {
			continue
		}
		for k := b + 1; k < min(len(v), t.grid.at(list[i+1].at)); k++ {
			v[k] = s.v
		}
	}
	return v
}

// cpuLine is the processor time used between samples, over the time between.
func cpuLine(t *trial) map[string][]float64 {
	out := map[string][]float64{}
	for name, list := range t.procs {
		v := t.empty()
		for i := 1; i < len(list); i++ {
			used, mid := cpuBetween(list[i-1], list[i])
			if b := t.grid.at(mid); b >= 0 && b < len(v) && list[i].at > list[i-1].at {
				v[b] = used / (float64(list[i].at-list[i-1].at) / 1e9)
			}
		}
		out[name] = v
	}
	return out
}

// line is a trial's line, without what is missing at its ends; ok is false
// where nothing is left.
func line(t *trial, part string, v []float64) (Line, bool) {
	there := func(f float64) bool { return !math.IsNaN(f) }
	first := slices.IndexFunc(v, there)
	if first < 0 {
		return Line{}, false
	}
	last := len(v) - 1
	for !there(v[last]) {
		last--
	}
	l := Line{Profile: t.Profile, Trial: t.ID, Part: part, Valid: t.state == TrialValid}
	for i := first; i <= last; i++ {
		l.T = append(l.T, t.grid.middle(i))
		l.V = append(l.V, Number(v[i]))
	}
	return l, true
}

// medians returns, for each profile and part, the median of the valid trials'
// lines, where there are at least two.
func medians(lines []Line) []Line {
	type key struct{ profile, part string }
	var rows table[key, map[float64][]float64]
	count := map[key]int{}
	var keys []key
	for _, l := range lines {
		if !l.Valid {
			continue
		}
		k := key{l.Profile, l.Part}
		if count[k] == 0 {
			keys = append(keys, k)
		}
		count[k]++
		at := *rows.row(k, func() map[float64][]float64 { return map[float64][]float64{} })
		for i, v := range l.V {
			if v.Is() {
				at[l.T[i]] = append(at[l.T[i]], v.Float())
			}
		}
	}
	var out []Line
	for i, k := range keys {
		if count[k] < 2 {
			continue
		}
		l := Line{Profile: k.profile, Part: k.part, Median: true, Valid: true}
		for _, at := range slices.Sorted(maps.Keys(rows.rows[i])) {
			v := rows.rows[i][at]
			slices.Sort(v)
			l.T, l.V = append(l.T, at), append(l.V, Number(stats.Median(v)))
		}
		out = append(out, l)
	}
	return out
}
