package pace

import "math/bits"

// Stats says how well a load kept its schedule.
type Stats struct {
	Slots   uint64 // slots whose intended time came
	Refused uint64 // of those, refused at the in-flight bound
	LagMax  int64  // ns: the longest that a slot was begun after its intended time

	// lags counts the slots by lag: four buckets for every power of two.
	lags [4 * 64]uint64
}

// lag counts one slot's lag, in ns.
func (s *Stats) lag(ns int64) {
	ns = max(ns, 0)
	s.LagMax = max(s.LagMax, ns)
	s.lags[bucket(uint64(ns))]++
}

// LagQuantile returns the lag, in ns, that a share q of the slots did not
// exceed, rounded up to the end of its bucket: by at most a quarter. It is 0
// where there were no slots.
func (s *Stats) LagQuantile(q float64) int64 {
	rank := uint64(q * float64(s.Slots))
	if float64(rank) < q*float64(s.Slots) {
		rank++
	}
	rank = max(rank, 1)
	var seen uint64
	for b, n := range s.lags {
		if seen += n; seen >= rank {
			return min(bucketEnd(b), s.LagMax)
		}
	}
	return 0
}

// bucket returns the index of v's bucket: its highest bit and the two below.
func bucket(v uint64) int {
	if v < 4 {
		return int(v)
	}
	exp := bits.Len64(v) - 3
	return 4*exp + int(v>>exp)
}

// bucketEnd returns the largest value in the bucket.
func bucketEnd(b int) int64 {
	if b < 4 {
		return int64(b)
	}
	exp := b/4 - 1
	return int64(uint64(b%4+5)<<exp - 1)
}
