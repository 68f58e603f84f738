package latency

import (
	"math"
	"math/bits"
)

// sketchBits gives the sketch's precision: every power of two has 64 buckets,
// so that the middle of one is within 1 % of what fell into it.
const sketchBits = 6

// Sketch is a distribution for drawing: as Hist, but coarse and cheap, since
// there is one for every second of every trial. The zero value is empty and
// ready.
type Sketch struct {
	counts []uint32 // of the buckets from first on
	first  int
	total  uint64
}

// sketchIndex returns the bucket of a value.
func sketchIndex(us int64) int {
	bucket := max(0, bits.Len64(uint64(us))-sketchBits-1)
	return bucket<<sketchBits + int(us>>bucket)
}

// sketchMiddle returns the middle of a bucket.
func sketchMiddle(index int) int64 {
	bucket := index>>sketchBits - 1
	if bucket <= 0 {
		return int64(index)
	}
	low := int64(index&(1<<sketchBits-1)+1<<sketchBits) << bucket
	return low + (int64(1)<<bucket-1)/2
}

// Add adds bins, which must be in order, as the Decoder gives them.
func (s *Sketch) Add(bins []Bin) {
	if len(bins) == 0 {
		return
	}
	s.cover(sketchIndex(bins[0].US), sketchIndex(bins[len(bins)-1].US))
	for _, b := range bins {
		s.counts[sketchIndex(b.US)-s.first] += uint32(b.N)
		s.total += b.N
	}
}

// cover makes room for the buckets from low to high.
func (s *Sketch) cover(low, high int) {
	switch {
	case len(s.counts) == 0:
		s.first, s.counts = low, make([]uint32, high-low+1)
		return
	case low >= s.first && high < s.first+len(s.counts):
		return
	}
	from, to := min(low, s.first), max(high+1, s.first+len(s.counts))
	counts := make([]uint32, to-from)
	copy(counts[s.first-from:], s.counts)
	s.first, s.counts = from, counts
}

// Count returns the number of values.
func (s *Sketch) Count() uint64 { return s.total }

// Seconds returns the q-quantile in seconds, to within 1 %; NaN where there are
// no values.
func (s *Sketch) Seconds(q float64) float64 {
	rank := uint64(max(1, math.Ceil(q*float64(s.total)-1e-9)))
	var seen uint64
	for i, n := range s.counts {
		if seen += uint64(n); n > 0 && seen >= rank {
			return seconds(sketchMiddle(s.first + i))
		}
	}
	return math.NaN()
}

// Bins returns the buckets that hold something, in order, each by its middle.
func (s *Sketch) Bins() []Bin {
	var out []Bin
	for i, n := range s.counts {
		if n > 0 {
			out = append(out, Bin{US: sketchMiddle(s.first + i), N: uint64(n)})
		}
	}
	return out
}
