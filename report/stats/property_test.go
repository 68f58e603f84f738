package stats_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/quick"

	"github.com/storm-harness/storm/report/stats"
)

// ranks replaces every difference by its signed rank, the way the signed-rank
// test sees a sample without ties.
func ranks(d []float64) []float64 {
	out := make([]float64, len(d))
	for i, v := range d {
		for _, w := range d {
			if math.Abs(w) <= math.Abs(v) {
				out[i]++
			}
		}
		out[i] = math.Copysign(out[i], v)
	}
	return out
}

func sample(r *rand.Rand, n int) []float64 {
	d := make([]float64, n)
	for i := range d {
		d[i] = r.NormFloat64() + 0.3
	}
	return d
}

// The claim in Paired's comment: its test is the sign-flip test of the ranks.
func TestSignedRankIsTheSignFlipOfRanks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := 1; n <= 12; n++ {
		for range 20 {
			d := sample(r, n)
			p, flips := stats.NewPaired(d), ranks(d)
			near(t, "greater", p.PGreater(0), stats.SignFlip(flips, 0, stats.Greater, 1).P)
			near(t, "less", p.PLess(0), stats.SignFlip(flips, 0, stats.Less, 1).P)
			near(t, "two-sided", p.PTwoSided(0), stats.SignFlip(flips, 0, stats.TwoSided, 1).P)
		}
	}
}

// Interval and p are one test: θ is outside exactly where the one-sided p is
// at most half of what the interval leaves.
func TestIntervalInvertsTheTest(t *testing.T) {
	check := func(seed uint64, size, tied uint8, infinite bool) bool {
		r := rand.New(rand.NewPCG(seed, 2))
		d := sample(r, 6+int(size)%14)
		if tied%3 == 0 { // rounded: ties and zeros
			for i := range d {
				d[i] = math.Round(2*d[i]) / 2
			}
		}
		if infinite {
			d[0], d[1] = math.Inf(1), math.Inf(-1)
			d[2] = math.Inf(1)
		}
		p := stats.NewPaired(d)
		i, ok := p.Interval(0.95)
		if !ok || i.Confidence < 0.95 || i.Low > i.High {
			return false
		}
		if e := p.Estimate(); e < i.Low || e > i.High {
			return false
		}
		tail := (1 - i.Confidence) / 2 * (1 + 1e-9)
		for _, theta := range append(sample(r, 30), append(slices.Clone(d), i.Low, i.High)...) {
			if (theta < i.Low) != (p.PGreater(theta) <= tail) || (theta > i.High) != (p.PLess(theta) <= tail) {
				t.Logf("d = %v, θ = %v, interval %+v, p %v %v", d, theta, i, p.PGreater(theta), p.PLess(theta))
				return false
			}
		}
		return true
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 500}); err != nil {
		t.Error(err)
	}
}

func TestMirroredSampleMirrorsEverything(t *testing.T) {
	check := func(seed uint64, size uint8) bool {
		d := sample(rand.New(rand.NewPCG(seed, 3)), 6+int(size)%10)
		neg := make([]float64, len(d))
		for i, v := range d {
			neg[i] = -v
		}
		a, b := stats.NewPaired(d), stats.NewPaired(neg)
		ia, _ := a.Interval(0.95)
		ib, _ := b.Interval(0.95)
		return a.Estimate() == -b.Estimate() && ia.Low == -ib.High && ia.High == -ib.Low && a.PGreater(0) == b.PLess(0)
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}

func TestCensoredPairs(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct{ base, value, want float64 }{
		{inf, inf, 0}, {1, inf, inf}, {inf, 1, -inf}, {0, 0, 0}, {0, 1, inf}, {2, 4, math.Ln2}, {4, 2, -math.Ln2},
	} {
		if got := stats.LogRatio(c.base, c.value); math.Abs(got-c.want) > 1e-15 && got != c.want {
			t.Errorf("LogRatio(%v, %v) = %v, want %v", c.base, c.value, got, c.want)
		}
	}
	// Six of six pairs whose profile never recovered: certain to be worse, by
	// an amount that nobody knows.
	p := stats.NewPaired(slices.Repeat([]float64{inf}, 6))
	i, ok := p.Interval(0.95)
	if !ok || i.Low != inf || p.Estimate() != inf || p.PGreater(math.Log(1.25)) != 1.0/64 {
		t.Errorf("all censored: %+v, %v, estimate %v, p %v", i, ok, p.Estimate(), p.PGreater(math.Log(1.25)))
	}
	// Censored alike on both sides: no evidence of anything.
	if got := stats.NewPaired(make([]float64, 6)).PTwoSided(0); got != 1 {
		t.Errorf("all equal: p = %v, want 1", got)
	}
	// One censored pair of eight widens the interval, and no more than that.
	p = stats.NewPaired([]float64{0.1, 0.12, 0.08, 0.11, 0.09, 0.1, 0.13, inf})
	if e := p.Estimate(); math.IsInf(e, 0) || e < 0.08 || e > 0.13 {
		t.Errorf("one censored of eight: estimate %v", e)
	}
	// Three infinite parts sum to 3 in one of eight ways, whatever the finite
	// part is, and to 1, as seen, in three, where the finite part must be 1 too.
	if f := stats.SignFlip([]float64{inf, inf, 1, -inf}, 0, stats.Greater, 1); f.P != 5.0/16 {
		t.Errorf("sign flip with infinities: %v, want 5/16", f.P)
	}
}

func TestSmallSamplesHaveNoInterval(t *testing.T) {
	for n := range 6 {
		i, ok := stats.NewPaired(make([]float64, n)).Interval(0.95)
		if ok || !math.IsInf(i.Low, -1) || !math.IsInf(i.High, 1) {
			t.Errorf("n = %d: %+v, %v; five pairs reach 93.75 %% at most", n, i, ok)
		}
	}
	if got := stats.NeedPaired(0.95); got != 6 {
		t.Errorf("NeedPaired(0.95) = %d, want 6", got)
	}
	if !math.IsNaN(stats.NewPaired(nil).Estimate()) || stats.NewPaired(nil).PTwoSided(0) != 1 {
		t.Error("an empty sample must estimate nothing and reject nothing")
	}
	if got := stats.SmallestP(8); got != 2.0/256 {
		t.Errorf("SmallestP(8) = %v", got)
	}
}

// Above 16 pairs flips are sampled; the sampled p must agree with the exact
// one within its own standard error, and be the same for the same seed.
func TestSampledFlipsAgreeWithEnumerated(t *testing.T) {
	d := sample(rand.New(rand.NewPCG(7, 7)), 16)
	exact := stats.SignFlip(d, 0, stats.TwoSided, 1)
	sampled := stats.SignFlip(append(d, 0), 0, stats.TwoSided, 1) // a zero changes no sum
	if exact.Sampled != 0 || sampled.Sampled != stats.Flips {
		t.Fatalf("sampled: %d and %d", exact.Sampled, sampled.Sampled)
	}
	se := math.Sqrt(exact.P * (1 - exact.P) / stats.Flips)
	if math.Abs(exact.P-sampled.P) > 4*se+1.0/stats.Flips {
		t.Errorf("exact %v, sampled %v, standard error %v", exact.P, sampled.P, se)
	}
	if again := stats.SignFlip(append(d, 0), 0, stats.TwoSided, 1); again != sampled {
		t.Errorf("the same seed gave %v and %v", sampled, again)
	}
}

// The ranks against the binomial summed with rational numbers.
func TestQuantileRanksAgainstExactBinomial(t *testing.T) {
	for _, c := range []struct {
		n      uint64
		num, d int64
	}{{59, 9, 10}, {100, 9, 10}, {400, 99, 100}, {200, 1, 2}, {500, 99, 100}} {
		q := big.NewRat(c.num, c.d)
		qf, _ := q.Float64()
		r, ok := stats.QuantileRanks(c.n, qf, 0.95)
		if !ok {
			t.Fatalf("n = %d, q = %v: no interval", c.n, qf)
		}
		tail := big.NewRat(1, 40)
		if binomial(c.n, q, r.Low-1).Cmp(tail) > 0 || binomial(c.n, q, r.Low).Cmp(tail) <= 0 {
			t.Errorf("n = %d, q = %v: low rank %d is not the tightest", c.n, qf, r.Low)
		}
		over := func(rank uint64) *big.Rat {
			return new(big.Rat).Sub(big.NewRat(1, 1), binomial(c.n, q, rank-1))
		}
		if over(r.High).Cmp(tail) > 0 || over(r.High-1).Cmp(tail) <= 0 {
			t.Errorf("n = %d, q = %v: high rank %d is not the tightest", c.n, qf, r.High)
		}
	}
	for q, need := range map[float64]int{0.99: 368, 0.999: 3688, 0.5: 6} {
		if got := stats.NeedQuantile(q, 0.95); got != need {
			t.Errorf("NeedQuantile(%v) = %d, want %d", q, got, need)
		}
		if _, ok := stats.QuantileRanks(uint64(need), q, 0.95); !ok {
			t.Errorf("q = %v: no interval at n = %d", q, need)
		}
		if _, ok := stats.QuantileRanks(uint64(need-1), q, 0.95); ok {
			t.Errorf("q = %v: an interval at n = %d", q, need-1)
		}
	}
}

// binomial returns P(B ≤ k).
func binomial(n uint64, q *big.Rat, k uint64) *big.Rat {
	p := new(big.Rat).Sub(big.NewRat(1, 1), q)
	total := new(big.Rat)
	for i := range k + 1 {
		term := new(big.Rat).SetInt(new(big.Int).Binomial(int64(n), int64(i)))
		total.Add(total, term.Mul(term, power(q, i)).Mul(term, power(p, n-i)))
	}
	return total
}

func power(x *big.Rat, n uint64) *big.Rat {
	e := new(big.Int).SetUint64(n)
	return new(big.Rat).SetFrac(new(big.Int).Exp(x.Num(), e, nil), new(big.Int).Exp(x.Denom(), e, nil))
}

func TestHolmProperties(t *testing.T) {
	got := stats.Holm([]float64{math.NaN(), 0.04, 0.01})
	if !math.IsNaN(got[0]) || got[1] != 0.04 || got[2] != 0.02 {
		t.Errorf("what was not tested must stay and not count: %v", got)
	}
	check := func(raw []uint16) bool {
		p := make([]float64, len(raw))
		for i, v := range raw {
			p[i] = float64(v) / math.MaxUint16
		}
		for i, a := range stats.Holm(p) {
			if a < p[i] || a > 1 || a > p[i]*float64(len(p))+1e-12 && a != 1 {
				// never below the p itself, nor above Bonferroni unless carried
				// over from a smaller p
				carried := false
				for j := range p {
					carried = carried || p[j] < p[i] && p[j]*float64(len(p)) >= a-1e-12
				}
				if !carried {
					return false
				}
			}
		}
		return true
	}
	if err := quick.Check(check, nil); err != nil {
		t.Error(err)
	}
}
