package report

import (
	"fmt"
	"math"
	"strings"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report/stats"
)

// imbalance is the share of the planned blocks by which the numbers of unusable
// trials of two profiles may differ: of six or seven blocks by one, of eight by
// two. Beyond it, what made trials unusable may be the difference between the
// profiles, and what is left is a biased choice, which more trials of one
// profile would not mend.
const imbalance = 0.25

// imbalanced says whether so many unusable trials of either profile, of so many
// blocks, are too different.
func imbalanced(base, profile, blocks int) bool {
	return math.Abs(float64(base-profile)) > imbalance*float64(blocks)
}

// decide gives the verdict of a comparison. One interval decides, by where it
// lies towards the worse side, the margin being the largest difference that
// does not matter:
//
//	wholly beyond the margin          regressed, if it survives Holm's correction
//	wholly on the better side of 1    improved
//	wholly on this side of the margin pass
//	over the margin                   inconclusive: more blocks would tell
//
// How far a profile may be better has no bound, so the margin counts on the
// worse side alone.
func decide(r *Judged, c *Comparison, family int) {
	r.Verdict, r.Reason = c.verdict(family)
	r.Value = c.Ratio // after the verdict, which may withhold it
}

func (c *Comparison) verdict(family int) (Verdict, string) {
	if v, reason := c.usable(); v != "" {
		if c.unfair() {
			c.withhold(reason)
		}
		return v, reason
	}
	worseLow, worseHigh := math.Log(c.Low.Float()), math.Log(c.High.Float())
	if !c.Lower {
		worseLow, worseHigh = -worseHigh, -worseLow
	}
	limit := math.Log1p(c.Margin)
	switch {
	case c.hidden():
		return Inconclusive, fmt.Sprintf("%s, but %s: see api.errors", c.Text, c.hiding())
	case worseLow > limit && c.PHolm.Float() > c.alpha:
		return Inconclusive, fmt.Sprintf("%s: beyond the margin of %s by itself, but not once all %d comparisons of this run are counted (p %s after Holm's correction)",
			c.Text, percent(c.Margin), family, digits(c.PHolm.Float()))
	case worseLow > limit:
		return Regressed, fmt.Sprintf("%s: wholly beyond the margin of %s", c.Text, percent(c.Margin))
	case worseHigh < 0:
		return Improved, c.Text
	case worseHigh < limit:
		return Pass, fmt.Sprintf("%s: within the margin of %s", c.Text, percent(c.Margin))
	default:
		// With the same interval a comparison without a margin finds no difference.
		c.Text = strings.Replace(c.Text, noDifference, "not decided", 1)
		return Inconclusive, fmt.Sprintf("%s: the interval reaches over the margin of %s, so more blocks, or less noise, would have to tell", c.Text, percent(c.Margin))
	}
}

// usable says why no interval can decide; an empty verdict where one can.
func (c *Comparison) usable() (Verdict, string) {
	need, confidence := stats.NeedPaired(1-c.alpha), percent(1-c.alpha)
	why := ""
	for _, p := range c.Pairs {
		if p.Dropped != "" {
			why = " (" + p.Dropped + ")"
			break
		}
	}
	switch {
	case c.empty != "":
		return Invalid, "nothing was measured in " + c.empty
	case c.Used == 0:
		return Invalid, fmt.Sprintf("not one of %s could be used%s", unit.Count(c.Planned, "block"), why)
	case c.ownBase != c.ownProfile:
		return Invalid, fmt.Sprintf("of the trials %d with %s and %d with %s cannot be used for what the system itself did%s: that is no noise, and what is left is no fair comparison",
			c.ownBase, c.Base, c.ownProfile, c.Profile, why)
	case c.unfair():
		return Invalid, fmt.Sprintf("%d trials of %s and %d of %s cannot be used%s: what is left is no fair comparison",
			c.badBase, c.Base, c.badProfile, c.Profile, why)
	case c.Used < need && c.Planned >= need:
		return Invalid, fmt.Sprintf("only %d of %d blocks could be used%s, and a %s interval needs %d", c.Used, c.Planned, why, confidence, need)
	case c.Used < need:
		return Inconclusive, fmt.Sprintf("%s: %s can give no %s interval; it needs %d", c.Text, unit.Count(c.Used, "block"), confidence, need)
	case 2*c.bothCensored() >= c.Used:
		return Inconclusive, fmt.Sprintf("in %d of %d blocks %s, which says nothing about the ratio", c.bothCensored(), c.Used, c.neitherEnded())
	}
	return "", ""
}

// unfair says whether what made trials unusable may be the difference. Where the
// system under test did it, one trial more of either profile is enough.
func (c *Comparison) unfair() bool {
	return c.ownBase != c.ownProfile || imbalanced(c.badBase, c.badProfile, c.Planned)
}

// hidden says that latencies of the two profiles are of different requests: of one
// more failed, which have none, than lie beyond the quantile. They may be the slow ones.
func (c *Comparison) hidden() bool { return hides(c.Metric, c.Stat, c.failBase, c.failProf) }

// hides is hidden of two sides by the shares of their requests that failed.
func hides(metric, stat string, base, profile float64) bool {
	if m, ok := metricOf(metric); !ok || !m.Bounded() && metric != "isolation" {
		return false
	}
	tail := 0.01 // of a mean, a maximum, and isolation, which is of p99s
	if q, ok := quantiles[stat]; ok {
		tail = min(0.1, 1-q)
	}
	return math.Abs(profile-base) > tail
}

// hiding says whose requests failed.
func (c *Comparison) hiding() string {
	return fmt.Sprintf("%s of the requests with %s and %s of those with %s failed and have no latency, which may have been the slow ones",
		percent(c.failProf), c.Profile, percent(c.failBase), c.Base)
}

// withhold takes back what no conclusion may be drawn from, and says why.
func (c *Comparison) withhold(why string) {
	c.Text = "no comparison: " + why
	c.Ratio, c.Low, c.High, c.P, c.PFlip, c.Confidence, c.Bound = Missing(), Missing(), Missing(), Missing(), Missing(), 0, false
	c.PMargin, c.PHolm = Missing(), Missing()
	c.FlipSampled, c.FlipError, c.Note = 0, 0, []string{}
}

// neitherEnded says of a block that both its values are censored.
func (c *Comparison) neitherEnded() string {
	if m, ok := metricOf(c.Metric); ok && (m.Bounded() || c.Metric == "isolation") {
		return "neither profile's has a known end"
	}
	if c.Metric == "operation.duration" {
		return "the operation failed with both profiles"
	}
	return "neither profile recovered while it was watched"
}

func (c *Comparison) bothCensored() (n int) {
	for _, p := range c.Pairs {
		if p.Dropped == "" && p.BaseCensored && p.ProfCensored {
			n++
		}
	}
	return n
}
