package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"sync"

	"gonum.org/v1/gonum/stat/distuv"
)

// powerDraws is how many samples Detectable draws; its result is within about
// 2 % of what infinitely many would give.
const powerDraws = 10_000

// Detectable returns the smallest true shift, in standard deviations of the
// differences, that the interval of Paired leaves 0 out for with that
// probability (0.8, 0.95), where n differences are normal and each end may miss
// with probability tail. +Inf where n differences can give no such interval.
//
// The lower end is a Walsh average, which moves with the shift. So it is above
// 0 exactly where the shift exceeds the negative of the same Walsh average of
// differences without a shift, and what is asked is a quantile of that: drawn
// from a seed that is part of the function, so that it is a function.
func Detectable(n int, tail, power float64) float64 {
	k := asked{n, tail, power}
	if known, ok := detectable.Load(k); ok {
		return known.(float64)
	}
	shift := drawn(n, tail, power)
	detectable.Store(k, shift)
	return shift
}

// detectable keeps what was drawn, by what was asked: every metric of a run asks
// the same, and drawing takes up to half a second.
var detectable sync.Map

type asked struct {
	n           int
	tail, power float64
}

// drawn is Detectable by drawing.
func drawn(n int, tail, power float64) float64 {
	null := signedRankCDF(n)
	k := sort.Search(len(null), func(c int) bool { return null[c] > tail })
	if n == 0 || k == 0 {
		return math.Inf(1)
	}
	r := rand.New(rand.NewPCG(0x706f776572, uint64(n))) // the first word is "power"
	d := make([]float64, n)
	walsh := make([]float64, 0, n*(n+1)/2)
	need := make([]float64, powerDraws)
	for i := range need {
		for j := range d {
			d[j] = r.NormFloat64()
		}
		walsh = walsh[:0]
		for a, v := range d {
			for _, w := range d[a:] {
				walsh = append(walsh, (v+w)/2)
			}
		}
		slices.Sort(walsh)
		need[i] = -walsh[k-1]
	}
	slices.Sort(need)
	return need[min(powerDraws-1, int(math.Ceil(power*powerDraws))-1)]
}

// NeedDetectable returns the least n, at most most, with which a shift of that
// many standard deviations is found with that probability; ok is false where
// even most are too few.
func NeedDetectable(shift, tail, power float64, most int) (n int, ok bool) {
	least := 1
	for math.Ldexp(1, -least) > tail && least < most {
		least++
	}
	// More differences never find less, but for the grain of exact tails and of
	// drawing, which the last step looks past.
	n = least + sort.Search(most-least+1, func(i int) bool { return Detectable(least+i, tail, power) <= shift })
	for n > least && n <= most && Detectable(n-1, tail, power) <= shift {
		n--
	}
	return n, n <= most
}

// SD returns the standard deviation of the differences, and the interval of it
// that holds at that confidence if they are normal. NaN where there are fewer
// than two, or where one is infinite.
func SD(d []float64, confidence float64) (sd, low, high float64) {
	n := float64(len(d))
	var mean, squares float64
	for _, v := range d {
		mean += v / n
	}
	for _, v := range d {
		squares += (v - mean) * (v - mean)
	}
	if n < 2 || math.IsNaN(squares) || math.IsInf(squares, 0) {
		return math.NaN(), math.NaN(), math.NaN()
	}
	tail := (1 - confidence) / 2
	chi := distuv.ChiSquared{K: n - 1}
	return math.Sqrt(squares / (n - 1)), math.Sqrt(squares / chi.Quantile(1-tail)), math.Sqrt(squares / chi.Quantile(tail))
}
