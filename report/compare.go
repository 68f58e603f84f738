package report

import (
	"fmt"
	"hash/fnv"
	"math"
	"slices"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report/stats"
)

// Confidence is what is asked of every interval, unless the scenario asks for
// another alpha.
const Confidence = 0.95

// alphaOf is the chance of any false claim of a regression that a run allows.
// One that is no chance at all was not written by storm.
func alphaOf(run rundir.Run) float64 {
	if run.Alpha > 0 && run.Alpha < 0.5 {
		return run.Alpha
	}
	return 1 - Confidence
}

// compareGate holds every other profile against the gate's base.
func (j *judgement) compareGate(g *Gate) {
	known := slices.ContainsFunc(j.run.Profiles, func(p rundir.Profile) bool { return p.Name == g.Compare })
	if !known {
		g.Verdict, g.Reason = Invalid, fmt.Sprintf("there is no profile %q to compare with", g.Compare)
		return
	}
	base := values(g.Gate, j.of(g.Gate, g.Compare))
	for _, p := range j.run.Profiles {
		if p.Name == g.Compare || g.Profile != "" && g.Profile != p.Name {
			continue
		}
		mine := values(g.Gate, j.of(g.Gate, p.Name))
		c := j.compare(g.Gate, g.Lower, g.Unit, base, mine, p.Name)
		c.Margin = g.Margin
		g.Results = append(g.Results, Judged{
			Profile: p.Name, Looked: "paired ratio", Values: mine, Value: Missing(), Worst: Missing(), Comparison: c,
		})
	}
	if len(g.Results) == 0 {
		g.Verdict, g.Reason = Invalid, fmt.Sprintf("there is no profile beside %s", g.Compare)
	}
}

// compare pairs two profiles' values by block and tests the log ratios. The
// profile's value is on top: above 1 it is larger.
func (j *judgement) compare(g rundir.Gate, lower bool, unit string, base, profile []TrialValue, name string) *Comparison {
	c := &Comparison{
		Metric: g.Metric, Stat: g.Stat, Unit: unit, Lower: lower, Base: g.Compare, Profile: name,
		Title: subject(g), Planned: j.run.Blocks,
		BaseMedian: Missing(), ProfileMedian: Missing(), Ratio: Missing(), Low: Missing(), High: Missing(),
		P: Missing(), PMargin: Missing(), PHolm: Missing(), PFlip: Missing(), Pairs: []Pair{},
		alpha: alphaOf(j.run),
	}
	var d []float64
	var usedBase, usedProfile []TrialValue
	for _, b := range base {
		i := slices.IndexFunc(profile, func(v TrialValue) bool { return v.Block == b.Block })
		if i < 0 || b.Block == 0 {
			continue
		}
		v := profile[i]
		p := Pair{
			Block: b.Block, Base: b.Value, Profile: v.Value, Ratio: Missing(), BaseTrial: b.Trial, ProfileTrial: v.Trial,
			BaseCensored: b.Censored, ProfCensored: v.Censored, ProfileBefore: j.before(v.Trial, b.Trial),
		}
		if p.Dropped = dropped(b, v); p.Dropped == "" {
			log := stats.LogRatio(b.Value.Float(), v.Value.Float())
			p.Ratio = Number(math.Exp(log))
			d = append(d, log)
			usedBase, usedProfile = append(usedBase, b), append(usedProfile, v)
		}
		c.Pairs = append(c.Pairs, p)
	}
	c.badBase, c.badProfile = bad(base), bad(profile)
	c.ownBase, _ = owns(base)
	c.ownProfile, _ = owns(profile)
	c.failBase, c.failProf = failing(usedBase), failing(usedProfile)
	c.empty = firstEmpty(base, profile)
	c.Planned = max(c.Planned, len(c.Pairs))
	c.Used, c.SmallestP = len(d), stats.SmallestP(len(d))
	c.test(d, margin(g.Margin, lower), j.flipSeed(c))
	if len(d) > 0 {
		c.BaseMedian, c.ProfileMedian = median(usedBase), median(usedProfile)
	}
	c.Text = c.phrase()
	return c
}

// test fills in the estimate, the interval and the p-values.
func (c *Comparison) test(d []float64, limit float64, seed uint64) {
	if len(d) == 0 {
		return
	}
	p := stats.NewPaired(d)
	e := p.Estimate()
	c.Ratio, c.Bound = Number(math.Exp(e)), math.IsInf(e, 0)
	if i, ok := p.Interval(1 - c.alpha); ok {
		c.Low, c.High, c.Confidence = Number(math.Exp(i.Low)), Number(math.Exp(i.High)), i.Confidence
	}
	c.P = Number(p.PTwoSided(0))
	c.PMargin = Number(p.PGreater(limit))
	if !c.Lower {
		c.PMargin = Number(p.PLess(limit))
	}
	flip := stats.SignFlip(d, 0, stats.TwoSided, seed)
	c.PFlip, c.FlipSampled, c.FlipError = Number(flip.P), flip.Sampled, flip.Error()
	if c.FlipSampled > 0 {
		c.Note = append(c.Note, fmt.Sprintf("the sign-flip test of the mean was sampled: p %s ± %s, of %s",
			digits(flip.P), digits(flip.Error()), unit.Count(flip.Sampled, "flip")))
	}
}

// margin is the log ratio at which a difference begins to matter: upwards
// where less is better, downwards where more is.
func margin(m float64, lower bool) float64 {
	if lower {
		return math.Log1p(m)
	}
	return -math.Log1p(m)
}

// dropped says why a block is not used.
func dropped(base, profile TrialValue) string {
	for _, v := range []TrialValue{base, profile} {
		switch {
		case !v.Valid:
			return fmt.Sprintf("%s: %s", v.Trial, or(v.Note, "not valid"))
		case !v.Value.Is():
			return fmt.Sprintf("%s: %s", v.Trial, or(v.Note, "no samples"))
		}
	}
	return ""
}

// firstEmpty is the first valid trial in which nothing was measured, and why;
// empty where there is none.
func firstEmpty(lists ...[]TrialValue) string {
	for _, list := range lists {
		for _, v := range list {
			if v.Valid && !v.Value.Is() {
				return fmt.Sprintf("%s (%s)", v.Trial, or(v.Note, "no samples"))
			}
		}
	}
	return ""
}

// bad counts the trials that cannot be used.
func bad(list []TrialValue) (n int) {
	for _, v := range list {
		if !v.Valid || !v.Value.Is() {
			n++
		}
	}
	return n
}

// failing is the mean share of requests without a latency over trials.
func failing(list []TrialValue) (share float64) {
	for _, v := range list {
		share += v.failing / float64(len(list))
	}
	return share
}

// before says whether trial a ran before trial b.
func (j *judgement) before(a, b string) bool {
	at := func(id string) int {
		return slices.IndexFunc(j.trials, func(t *trial) bool { return t.ID == id })
	}
	return at(a) < at(b)
}

// flipSeed makes a sampled test repeatable: the same run gives the same p.
func (j *judgement) flipSeed(c *Comparison) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s %s %s %s", j.run.Seed, c.Title, c.Stat, c.Base, c.Profile) // a hash cannot fail
	return h.Sum64()
}

// correct makes Holm's correction over all comparisons of the gates, and
// returns how many there are.
func correct(gates []Gate) int {
	var all []*Comparison
	var p []float64
	for i := range gates {
		for _, r := range gates[i].Results {
			if c := r.Comparison; c != nil {
				all = append(all, c)
				v := c.PMargin.Float()
				if c.unfair() {
					v = 1 // it is counted, and claims nothing
				}
				p = append(p, v)
			}
		}
	}
	for i, v := range stats.Holm(p) {
		all[i].PHolm = Number(v)
	}
	return len(all)
}
