package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/storm-harness/storm/internal/unit"
)

// noDifference is said where an interval holds the ratio 1.
const noDifference = "no difference found"

// phrase says in words what a comparison found: "2.1× faster (96.9 % interval
// 1.8–2.4)". A factor is always above 1 and its word says the direction.
func (c *Comparison) phrase() string {
	switch {
	case c.Used == 0:
		return "not compared"
	case c.Confidence == 0:
		return fmt.Sprintf("%s by the estimate of %s", factor(c.Ratio.Float(), c.words()), unit.Count(c.Used, "block"))
	}
	low, high := c.Low.Float(), c.High.Float()
	confidence := percent(c.Confidence)
	if low <= 1 && high >= 1 {
		return fmt.Sprintf(noDifference+" (ratio %s, %s interval %s–%s%s)", digits(c.Ratio.Float()), confidence, digits(low), digits(high), c.censored())
	}
	finding := factor(c.Ratio.Float(), c.words())
	if c.Bound {
		return fmt.Sprintf("%s (%s interval of the ratio %s–%s%s)", finding, confidence, digits(low), digits(high), c.censored())
	}
	if r := c.Ratio.Float(); max(r, 1/r) < 1.5 {
		near, far := math.Abs(low-1), math.Abs(high-1)
		return fmt.Sprintf("%s (%s interval %s–%s %%%s)", finding, confidence, tenths(100*min(near, far)), tenths(100*max(near, far)), c.censored())
	}
	if c.Ratio < 1 {
		low, high = 1/high, 1/low
	}
	return fmt.Sprintf("%s (%s interval %s–%s×%s)", finding, confidence, digits(low), digits(high), c.censored())
}

// censored says on which side trials did not recover while they were watched,
// or latencies have no known end.
func (c *Comparison) censored() (s string) {
	var base, profile int
	for _, p := range c.Pairs {
		if p.Dropped == "" && p.BaseCensored {
			base++
		}
		if p.Dropped == "" && p.ProfCensored {
			profile++
		}
	}
	did := endlessWords(c.Metric)
	if profile > 0 {
		s += fmt.Sprintf("; %s %s in %d of %s", c.Profile, did, profile, unit.Count(c.Used, "block"))
	}
	if base > 0 {
		s += fmt.Sprintf("; %s %s in %d of %s", c.Base, did, base, unit.Count(c.Used, "block"))
	}
	return s
}

// endlessWords are the verb of a censored value of a metric.
func endlessWords(metric string) string {
	switch m, ok := metricOf(metric); {
	case ok && m.Bounded():
		return "has no known end"
	case metric == "isolation":
		return "has a p99 without a known end"
	case metric == "operation.duration":
		return "failed"
	}
	return "did not recover"
}

// direction is the pair of words for a ratio above and below 1.
type direction struct{ more, less string }

func (c *Comparison) words() direction {
	switch c.Metric {
	case "recovery.time", "operation.duration":
		return direction{"slower", "faster"}
	case "recovery.gap":
		return direction{"longer", "shorter"}
	default:
		return direction{"higher", "lower"}
	}
}

// tenths writes a percentage no finer than tenths: no comparison here tells more.
func tenths(v float64) string {
	if math.Abs(v) >= 10 {
		return fmt.Sprintf("%.0f", v)
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
}

// factor writes a ratio as a factor, or below 1.5 as a percentage.
func factor(ratio float64, w direction) string {
	switch {
	case math.IsInf(ratio, 1):
		return w.more + " by more than could be measured"
	case ratio == 0:
		return w.less + " by more than could be measured"
	case ratio >= 1.5:
		return digits(ratio) + "× " + w.more
	case ratio <= 1/1.5:
		return digits(1/ratio) + "× " + w.less
	case ratio >= 1:
		return tenths(100*(ratio-1)) + " % " + w.more
	default:
		return tenths(100*(1-ratio)) + " % " + w.less
	}
}
