package render

import (
	"math"
	"strconv"
	"strings"

	"github.com/storm-harness/storm/report"
)

// scale maps values to 0…1 along an axis.
type scale struct {
	lo, hi float64
	log    bool
}

// at is where v lies, below 0 or above 1 outside the axis.
func (s scale) at(v float64) float64 {
	lo, hi := s.lo, s.hi
	if s.log {
		if v <= 0 {
			return math.Inf(-1)
		}
		v, lo, hi = math.Log(v), math.Log(lo), math.Log(hi)
	}
	if hi == lo {
		return 0.5
	}
	return (v - lo) / (hi - lo)
}

// percentOf is a share as an SVG length: "12.34%".
func percentOf(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e4)/1e2, 'f', -1, 64) + "%"
}

// niceStep is the least of 1, 2, 5 times a power of ten that is at least v; in
// bytes, of 1, 2, 4, 8 … 512 times a power of 1024.
func niceStep(v float64, unit string) float64 {
	if v <= 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 1
	}
	if unit == "bytes" {
		return math.Max(1, math.Exp2(math.Ceil(math.Log2(v))))
	}
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*p*(1+1e-9) {
			return m * p
		}
	}
	return 10 * p
}

// linear is an axis from 0, or from lo where negative, to at least hi, with
// about n steps.
func linear(lo, hi float64, unit string, n int) (scale, []float64) {
	lo = math.Min(lo, 0)
	if hi <= lo {
		hi = lo + 1
	}
	step := niceStep((hi-lo)/float64(n), unit)
	if unit == "count" && hi >= 2 { // below, it is a share: of processors
		step = math.Max(step, 1)
	}
	first, last := math.Floor(lo/step+1e-9), math.Ceil(hi/step-1e-9)
	var ticks []float64
	for i := first; i <= last; i++ {
		ticks = append(ticks, i*step)
	}
	return scale{lo: first * step, hi: last * step}, ticks
}

// logarithmic is an axis that holds lo…hi (both above 0), at least a decade of
// it, with ticks at powers of ten, and at 2 and 5 where there is room.
func logarithmic(lo, hi float64) (scale, []float64) {
	down, up := math.Log10(lo), math.Log10(hi)
	if up-down < 1 {
		middle := (up + down) / 2
		down, up = middle-0.5, middle+0.5
	}
	between := []float64{1}
	if up-down < 2 {
		between = []float64{1, 2, 5}
	}
	from, to := math.Inf(1), math.Inf(-1)
	var all []float64
	for e := math.Floor(down); e <= math.Ceil(up); e++ {
		for _, m := range between {
			all = append(all, m*math.Pow(10, e))
		}
	}
	for _, v := range all { // the ticks next outside are the axis' ends
		if l := math.Log10(v); l <= down+1e-9 || math.IsInf(from, 1) {
			from = v
		}
		if l := math.Log10(v); l >= up-1e-9 && math.IsInf(to, -1) {
			to = v
		}
	}
	if math.IsInf(to, -1) {
		to = all[len(all)-1]
	}
	var ticks []float64
	for _, v := range all {
		if v >= from*(1-1e-9) && v <= to*(1+1e-9) {
			ticks = append(ticks, v)
		}
	}
	return scale{lo: from, hi: to, log: true}, ticks
}

// inside are the ticks of a time axis that lie within from…to.
func inside(from, to float64, n int) []float64 {
	step := niceStep((to-from)/float64(n), "seconds")
	if to-from > 90 {
		step = minuteStep((to - from) / float64(n))
	}
	var out []float64
	for i := math.Ceil(from/step - 1e-9); i*step <= to*(1+1e-9)+1e-9; i++ {
		out = append(out, i*step)
	}
	return out
}

// minuteStep is niceStep for clocks: 10, 15, 30 s, 1, 2, 5, 10, 15, 30 min, hours.
func minuteStep(v float64) float64 {
	for _, s := range []float64{10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400} {
		if v <= s {
			return s
		}
	}
	return math.Ceil(v/86400) * 86400
}

// axisTime writes an instant of the time axis, with a true minus.
func axisTime(v float64) string {
	if math.Abs(v) < 1e-9 {
		return "0"
	}
	text := digits(v) + " s"
	if a := math.Abs(v); a >= 120 && math.Mod(a, 60) == 0 {
		text = digits(v/60) + " min"
	}
	return strings.Replace(text, "-", "−", 1)
}

// axisValue writes a tick of a value axis.
func axisValue(v float64, unit string) string {
	if v == 0 {
		if unit == "seconds" {
			return "0 s"
		}
		return "0"
	}
	return report.Format(report.Number(v), unit)
}
