package latency_test

import (
	"encoding/base64"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report/latency"
)

// encoded returns n latencies as a recorder would write them, with the
// library's own histogram to hold the result against.
func encoded(t testing.TB, seed uint64, n int) (string, interface {
	ValueAtPercentile(float64) int64
	TotalCount() int64
	Max() int64
	Mean() float64
}) {
	t.Helper()
	h := rundir.NewHist()
	r := rand.New(rand.NewPCG(seed, 1))
	for range n {
		if err := h.RecordValue(int64(min(rundir.HistHighest, 1+3000*math.Exp(2*r.NormFloat64())))); err != nil {
			t.Fatal(err)
		}
	}
	text, err := rundir.EncodeHist(h)
	if err != nil {
		t.Fatal(err)
	}
	return text, h
}

func TestWhatHasNoEndRanksLast(t *testing.T) {
	var h latency.Hist
	h.AddUnended(0)
	h.Add([]latency.Bin{{US: 1000, N: 98}})
	h.AddUnended(1)
	h.Add([]latency.Bin{{US: 3000, N: 1}})
	if h.Count() != 100 || h.Unended() != 1 || h.Beyond() != 0 {
		t.Errorf("%d values, %d without an end, %d beyond", h.Count(), h.Unended(), h.Beyond())
	}
	if got := h.Seconds(.99); got != .003 {
		t.Errorf("p99 %v", got)
	}
	if !math.IsInf(h.Max(), 1) || !math.IsInf(h.Seconds(.995), 1) {
		t.Errorf("max %v, p99.5 %v", h.Max(), h.Seconds(.995))
	}
	if got, want := h.Mean(), (98*.001+.003)/99; math.Abs(got-want) > 1e-9 {
		t.Errorf("mean %v, want %v", got, want)
	}
}

func TestDecodeAgreesWithTheLibrary(t *testing.T) {
	var d latency.Decoder // one for all: its buffers must not leak
	for seed, n := range []int{1, 2, 3, 100, 5000, 200_000, 7} {
		text, want := encoded(t, uint64(seed), n)
		bins, err := d.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		var h latency.Hist
		h.Add(bins)
		if h.Count() != uint64(want.TotalCount()) || math.Abs(h.Max()*1e6-float64(want.Max())) > 0.5 {
			t.Errorf("n = %d: %d values, max %v; want %d, %d", n, h.Count(), h.Max()*1e6, want.TotalCount(), want.Max())
		}
		for _, q := range []float64{50, 90, 99, 99.9, 100} {
			// The library rounds the rank, Seconds takes it upwards.
			if rank := q / 100 * float64(n); math.Round(rank) != math.Ceil(rank-1e-9) {
				continue
			}
			if got, w := h.Seconds(q/100)*1e6, float64(want.ValueAtPercentile(q)); math.Abs(got-w) > 0.5 {
				t.Errorf("n = %d: p%v is %v µs, want %v", n, q, got, w)
			}
		}
		if got, w := h.Mean()*1e6, want.Mean(); math.Abs(got-w) > w/1000+1 {
			t.Errorf("n = %d: mean %v µs, want %v", n, got, w)
		}
	}
}

func TestMergeIsTheHistogramOfAll(t *testing.T) {
	var d latency.Decoder
	var all, parts latency.Hist
	sum := rundir.NewHist()
	for seed := range uint64(40) {
		text, _ := encoded(t, seed, 300)
		bins, err := d.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		var part latency.Hist
		part.Add(bins)
		parts.Merge(&part)
		all.Add(bins)
		h, err := rundir.DecodeHist(text)
		if err != nil {
			t.Fatal(err)
		}
		sum.Merge(h)
	}
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
		want := float64(sum.ValueAtPercentile(100*q)) / 1e6
		if math.Abs(all.Seconds(q)-want) > 1e-9 || math.Abs(parts.Seconds(q)-want) > 1e-9 {
			t.Errorf("p%v: %v and %v, want %v", 100*q, all.Seconds(q), parts.Seconds(q), want)
		}
	}
}

func TestEmptyHasNoQuantile(t *testing.T) {
	var h latency.Hist
	var d latency.Decoder
	if bins, err := d.Decode(""); err != nil || len(bins) != 0 {
		t.Errorf("empty text: %v, %v", bins, err)
	}
	for _, v := range []float64{h.Seconds(0.99), h.Max(), h.Mean(), h.Rank(1)} {
		if !math.IsNaN(v) {
			t.Errorf("an empty histogram gave %v", v)
		}
	}
}

// What is beyond the range is known to be that, and nothing more.
func TestBeyondTheRangeIsNoNumber(t *testing.T) {
	h := rundir.NewHist()
	for us, n := range map[int64]int64{1000: 90, 299_000_000: 5, rundir.HistHighest: 5} {
		if err := h.RecordValues(us, n); err != nil {
			t.Fatal(err)
		}
	}
	text, err := rundir.EncodeHist(h)
	if err != nil {
		t.Fatal(err)
	}
	var d latency.Decoder
	bins, err := d.Decode(text)
	if err != nil {
		t.Fatal(err)
	}
	var all latency.Hist
	all.Add(bins)
	if all.Beyond() != 5 || all.Within(1e9) != 95 {
		t.Errorf("%d are beyond, %d within", all.Beyond(), all.Within(1e9))
	}
	if v := all.Seconds(.95); v < 298 || v > 300 {
		t.Errorf("p95 is %v s", v)
	}
	for what, v := range map[string]float64{"p96": all.Seconds(.96), "max": all.Max()} {
		if !math.IsInf(v, 1) {
			t.Errorf("%s is %v s", what, v)
		}
	}
	if v := all.Mean(); !math.IsNaN(v) {
		t.Errorf("the mean is %v s, though nobody knows how long some took", v)
	}
}

func TestDecodeRefusesDamage(t *testing.T) {
	good, _ := encoded(t, 1, 1000)
	raw, err := base64.StdEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(i int) string {
		b := append([]byte(nil), raw...)
		b[i] ^= 0x40
		return base64.StdEncoding.EncodeToString(b)
	}
	wide := rundir.NewHist()
	if err := wide.RecordValue(5); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"no base64":    "!!!!",
		"short":        "HISTFAAA",
		"other format": flip(0),
		"wrong length": flip(7),
		"cut off":      base64.StdEncoding.EncodeToString(raw[:len(raw)-9]),
		"bad checksum": flip(len(raw) - 1),
		"bad stream":   flip(len(raw) / 2),
		"trailing":     good[:len(good)-4] + strings.Repeat("A", 8),
	} {
		var d latency.Decoder
		if bins, err := d.Decode(text); err == nil {
			t.Errorf("%s: read as %d bins", name, len(bins))
		}
		if _, err := d.Decode(good); err != nil {
			t.Errorf("%s: the next one is spoiled too: %v", name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for seed := range uint64(3) {
		text, _ := encoded(f, seed, 50)
		f.Add(text)
	}
	f.Add("HISTFAAAABx42pNpmSzMwMDAxQABzFCaEUoz2X+AMBgAQdkCqg==")
	f.Fuzz(func(t *testing.T, text string) {
		var d latency.Decoder
		bins, err := d.Decode(text)
		if err != nil {
			return
		}
		var h latency.Hist
		h.Add(bins)
		for i := 1; i < len(bins); i++ {
			if bins[i].US <= bins[i-1].US {
				t.Fatalf("bins out of order: %v", bins)
			}
		}
		if want, err := rundir.DecodeHist(text); err == nil && uint64(want.TotalCount()) != h.Count() {
			t.Fatalf("%d values, the library has %d", h.Count(), want.TotalCount())
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	text, _ := encoded(b, 1, 200)
	var d latency.Decoder
	var h latency.Hist
	for b.Loop() {
		bins, err := d.Decode(text)
		if err != nil {
			b.Fatal(err)
		}
		h.Add(bins)
	}
}
