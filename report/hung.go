package report

import (
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
)

// hung is what a series was asked for in a phase, had long waited for when that
// ended, and got, or gave up, in a later one. A request belongs to the window in which
// it was done: to that alone, a server that hangs would show nothing of it in a phase
// that is shorter than its loads' deadline. What was asked for only a moment before a
// fault is not in it: that is the fault's.
type hung struct {
	hist   latency.Hist // of what succeeded in the end
	failed uint64       // had no end by then, and failed later
}

// carry adds a window's requests to the phase that they were begun in, if that ended
// before the window began. Of a request is known that it was done within the window,
// and how long it was waited for, so that it is carried only where it surely began in
// the phase, and leastWait before its end.
func (t *trial) carry(w rundir.Window, within string, bins, waits []latency.Bin) {
	for _, p := range t.done.Phases {
		least, most := w.To-p.To+leastWait, w.From-p.From
		if p.To == 0 || p.To > w.From+(w.To-w.From)/2 || p.Name == within || least > most {
			continue
		}
		done, failed := between(bins, least, most), uint64(0)
		for _, b := range between(waits, least, most) {
			failed += b.N
		}
		if len(done) == 0 && failed == 0 {
			continue
		}
		c := t.cell(cellKey{w.Key, p.Name})
		c.hung.hist.Add(done)
		c.hung.failed += failed
	}
}

// between are the bins of values that are surely from least to most, in ns.
func between(bins []latency.Bin, least, most int64) []latency.Bin {
	from := len(bins)
	for from > 0 && bins[from-1].US*999 >= least { // a bin's values are within 0.1 % of it
		from--
	}
	for len(bins) > from && bins[len(bins)-1].US*1000 > most {
		bins = bins[:len(bins)-1]
	}
	return bins[from:]
}

// rank adds what a gate asks of a series to h, and returns how many failed.
func (c *cell) rank(g rundir.Gate, h *latency.Hist) (failed uint64) {
	c.rankIn(h)
	if ofOnePhase(g) {
		h.Merge(&c.hung.hist)
		h.AddUnended(c.hung.failed)
	}
	return c.failures(g)
}

// rankFailed is rank of what has no better end than success: whatever failed ranks
// behind all that did not.
func (c *cell) rankFailed(g rundir.Gate, h *latency.Hist) {
	h.Merge(&c.hist)
	if ofOnePhase(g) {
		h.Merge(&c.hung.hist)
	}
	h.AddUnended(c.failures(g))
}

// failures are those of a series that a gate asks about.
func (c *cell) failures(g rundir.Gate) uint64 {
	if ofOnePhase(g) {
		return c.failed + c.hung.failed
	}
	return c.failed
}

// ofOnePhase says whether a gate asks about one phase. What hung over a phase's end is
// of both phases, and counts in each; over all phases it counts once.
func ofOnePhase(g rundir.Gate) bool {
	_, one := g.Where["phase"]
	return one
}
