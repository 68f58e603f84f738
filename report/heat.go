package report

import (
	"math"

	"github.com/storm-harness/storm/internal/rundir"
)

// HeatMap is how the latencies of a group of requests were spread over a
// trial's time: the requests of all valid block trials of a profile together,
// laid over each other as in the charts.
type HeatMap struct {
	Profile string `json:"profile"`
	Group   string `json:"group"` // mutating, read
	// From is where the first column begins, seconds on the time axis of the
	// charts of the blocks; each column lasts Step.
	From float64 `json:"from"`
	Step float64 `json:"step"`
	// Edges are the borders of the rows, in seconds, from the fastest on: one
	// more than there are rows.
	Edges []float64 `json:"edges"`
	// Counts are the requests in each column, by row.
	Counts [][]uint64 `json:"counts"`
}

const (
	heatColumns = 120 // at most
	heatDecade  = 8   // rows of a decade
)

// heatMaps are the heat maps of the block trials that are valid.
func heatMaps(run rundir.Run, trials []*trial) []HeatMap {
	var out []HeatMap
	for _, p := range run.Profiles {
		for g := range groups {
			var h heat
			for _, t := range trials {
				if t.Profile == p.Name && t.Tour == "" && t.state == TrialValid {
					h.add(t, g)
				}
			}
			if m, ok := h.result(); ok {
				m.Profile, m.Group = p.Name, g.String()
				out = append(out, m)
			}
		}
	}
	return out
}

// heat is a heat map while trials are added.
type heat struct {
	grid grid
	per  int              // bins of the grid in a column
	at   []map[int]uint64 // row → requests, of each column
	low  int              // the least row and the greatest
	high int
	any  bool
}

// add adds a trial. All block trials have the same bins around the instant 0.
func (h *heat) add(t *trial, g group) {
	if h.at == nil {
		h.grid, h.per = t.grid, max(1, (t.grid.n+heatColumns-1)/heatColumns)
		h.at = make([]map[int]uint64, (max(0, t.grid.n)+h.per-1)/h.per)
	}
	for i := range t.bins {
		column := i / h.per
		if column >= len(h.at) {
			return
		}
		for _, b := range t.bins[i].hist[g].Bins() {
			row := int(math.Floor(math.Log10(float64(max(b.US, 1))/1e6) * heatDecade))
			if h.at[column] == nil {
				h.at[column] = map[int]uint64{}
			}
			h.at[column][row] += b.N
			if !h.any || row < h.low {
				h.low = row
			}
			if !h.any || row > h.high {
				h.high = row
			}
			h.any = true
		}
	}
}

func (h *heat) result() (HeatMap, bool) {
	if !h.any {
		return HeatMap{}, false
	}
	step := float64(h.grid.step) / 1e9
	m := HeatMap{From: float64(h.grid.first) * step, Step: step * float64(h.per)}
	for row := h.low; row <= h.high+1; row++ {
		m.Edges = append(m.Edges, math.Pow(10, float64(row)/heatDecade))
	}
	for _, rows := range h.at {
		counts := make([]uint64, h.high-h.low+1)
		for row, n := range rows {
			counts[row-h.low] = n
		}
		m.Counts = append(m.Counts, counts)
	}
	return m, true
}
