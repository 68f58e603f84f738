// Package latency adds up the latencies of a run: many small histograms, one a
// series and window, into those of trials and phases. It keeps only buckets
// that hold something, so that adding thousands of windows is cheap, and reads
// their text (an HDR histogram, V2 compressed, base64) without trusting it.
package latency

import (
	"math"
	"slices"

	"github.com/storm-harness/storm/internal/rundir"
)

// Bin is a bucket: N values of at most US microseconds, and within 0.1 % of it.
type Bin struct {
	US int64
	N  uint64
}

// Hist is a distribution of latencies. The zero value is empty and ready.
type Hist struct {
	bins  []Bin // in order and without doubles up to tidy, then as they came
	tidy  int
	total uint64
}

// Add adds the bins.
func (h *Hist) Add(bins []Bin) {
	for _, b := range bins {
		h.total += b.N
	}
	h.bins = append(h.bins, bins...)
	if len(h.bins) > 2*h.tidy+1024 {
		h.compact()
	}
}

// unended is the bucket of what has no end: behind all others.
const unended = math.MaxInt64

// AddUnended adds n values of which is only known that they are greater than all
// others.
func (h *Hist) AddUnended(n uint64) {
	if n > 0 {
		h.Add([]Bin{{US: unended, N: n}})
	}
}

// Unended returns how many values have no end.
func (h *Hist) Unended() uint64 {
	if h.compact(); len(h.bins) > 0 && h.bins[len(h.bins)-1].US == unended {
		return h.bins[len(h.bins)-1].N
	}
	return 0
}

// Merge adds all of o.
func (h *Hist) Merge(o *Hist) { h.Add(o.bins) }

// Bins returns the buckets that hold something, in order. They are h's own.
func (h *Hist) Bins() []Bin {
	h.compact()
	return h.bins
}

// Compact gives back what room there is for more.
func (h *Hist) Compact() {
	h.compact()
	h.bins = slices.Clip(slices.Clone(h.bins))
}

// Count returns the number of values.
func (h *Hist) Count() uint64 { return h.total }

// Seconds returns the q-quantile in seconds, 0 ≤ q ≤ 1: the value of rank
// ⌈q·count⌉, a value that was seen; see Rank.
func (h *Hist) Seconds(q float64) float64 {
	return h.Rank(uint64(max(1, math.Ceil(q*float64(h.total)-1e-9))))
}

// Rank returns the value of a rank, from 1, in seconds; NaN where there is
// none, and +Inf for one that has no end, or is beyond what a histogram reaches.
func (h *Hist) Rank(rank uint64) float64 {
	h.compact()
	var seen uint64
	for _, b := range h.bins {
		if seen += b.N; seen >= rank && rank > 0 {
			return seconds(b.US)
		}
	}
	return math.NaN()
}

// Within returns how many values are at most so many seconds.
func (h *Hist) Within(most float64) uint64 {
	var n uint64
	for _, b := range h.bins {
		if seconds(b.US) <= most {
			n += b.N
		}
	}
	return n
}

// Max returns the largest value in seconds; NaN where there are none, and +Inf
// where it has no end, or is beyond what a histogram reaches.
func (h *Hist) Max() float64 {
	if h.compact(); len(h.bins) == 0 {
		return math.NaN()
	}
	return seconds(h.bins[len(h.bins)-1].US)
}

// Mean returns the mean in seconds of the values that have an end; NaN where
// there are none, or any is beyond what a histogram reaches.
func (h *Hist) Mean() float64 {
	h.compact()
	var sum float64
	for _, b := range h.bins {
		if b.US != unended {
			sum += seconds(b.US) * float64(b.N)
		}
	}
	if math.IsInf(sum, 0) {
		return math.NaN()
	}
	return sum / float64(h.total-h.Unended())
}

// Beyond returns how many values have an end beyond what a histogram reaches.
func (h *Hist) Beyond() uint64 {
	var n uint64
	for _, b := range h.bins {
		if b.US >= rundir.HistHighest && b.US != unended {
			n += b.N
		}
	}
	return n
}

// seconds is a bucket's value. The highest bucket also holds whatever was
// beyond it.
func seconds(us int64) float64 {
	if us >= rundir.HistHighest {
		return math.Inf(1)
	}
	return float64(us) / 1e6
}

// compact puts the bins in order and joins equal ones: what came since the last
// time is put in order by itself, and merged into what is.
func (h *Hist) compact() {
	if h.tidy == len(h.bins) {
		return
	}
	out := ordered(h.bins[h.tidy:])
	if old := h.bins[:h.tidy]; len(old) > 0 {
		out = merged(make([]Bin, 0, len(old)+len(out)), old, out)
	}
	if 2*len(out) < cap(out) {
		out = slices.Clone(out)
	}
	h.bins, h.tidy = out, len(out)
}

// ordered puts bins in order and joins equal ones, by merging neighbouring runs
// until one is left. What is added comes in order, a histogram at a time, so that
// the runs are few and long. It uses bins for its own.
func ordered(bins []Bin) []Bin {
	into := make([]Bin, 0, len(bins))
	for {
		runs := 0
		out := into[:0]
		for rest := bins; len(rest) > 0; runs++ {
			var a, b []Bin
			a, rest = run(rest)
			b, rest = run(rest)
			out = merged(out, a, b)
		}
		if runs <= 1 {
			return out
		}
		bins, into = out, bins
	}
}

// run cuts off the bins at the beginning that are in order.
func run(bins []Bin) (first, rest []Bin) {
	n := min(1, len(bins))
	for n < len(bins) && bins[n].US > bins[n-1].US {
		n++
	}
	return bins[:n], bins[n:]
}

// merged appends two runs to out as one, with equal bins joined.
func merged(out, a, b []Bin) []Bin {
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].US < b[0].US:
			out, a = append(out, a[0]), a[1:]
		case a[0].US > b[0].US:
			out, b = append(out, b[0]), b[1:]
		default:
			out = append(out, Bin{a[0].US, a[0].N + b[0].N})
			a, b = a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}
