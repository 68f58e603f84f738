package render

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/golden"
	"github.com/storm-harness/storm/report"
)

// The two trials of troubled in which something went wrong.
const (
	lateTrial  = "009-b5-fast-election" // is not valid
	neverTrial = "005-b3-stock"         // did not recover while it was watched
	lateReason = "load generator: send lag p99 of 210ms is over its bound of 50ms"
)

// troubled is quickstart where one trial is invalid and one did not recover: what
// a page marks of them, quickstart has not.
func troubled() *report.Result {
	r := quickstart()
	r.Verdict, r.ExitCode = report.Regressed, report.Regressed.ExitCode()
	r.Headline = []string{
		"Failed: recovery of the slowest probe: stock: not recovered when the observation ended after 7 s in 005-b3-stock, where at most 10 s is allowed; 1 trial of 6 broke the bound.",
		"Of 9 gates: 1 regressed, 1 invalid, 7 pass.",
		"storm ran quickstart with the profiles stock and fast-election, in 6 blocks of random order, and one tour; 12 of 13 trials are valid.",
	}
	r.Run.Valid, r.Run.Invalid = 12, 1
	r.Profiles[1].Valid, r.Profiles[1].Invalid = 5, 1
	for i := range r.Trials {
		switch t := &r.Trials[i]; t.ID {
		case lateTrial:
			t.State, t.Reasons = report.TrialInvalid, []string{lateReason}
			t.Load.SendLagP99, t.Load.Problems = 0.21, []string{strings.TrimPrefix(lateReason, "load generator: ")}
		case neverTrial:
			for k := range t.Acts[0].Recovery {
				if x := &t.Acts[0].Recovery[k]; x.Op == "write" && x.Failed > 0 {
					x.RTO, x.Gap, x.Censored = report.Number(math.Inf(1)), report.Number(math.Inf(1)), true
				}
			}
		}
	}
	for i := range r.Recovery {
		if g := &r.Recovery[i]; g.Tour == "" {
			troubledGroup(g)
		}
	}
	for i := range r.Audits {
		r.Audits[i].Valid = r.Audits[i].Trial != lateTrial
	}
	rpo := &r.RPO[1]
	rpo.Trials, rpo.Acked, rpo.AtMost = 5, 5120, 0.451
	rpo.Text = "fast-election: none of 5,120 acknowledged writes was lost in 5 trials; with 95 % confidence, at most 45.1 % of such trials lose any"
	for i := range r.Charts[0].Chart {
		for k := range r.Charts[0].Chart[i].Lines {
			if l := &r.Charts[0].Chart[i].Lines[k]; l.Trial == lateTrial {
				l.Valid = false
			}
		}
	}
	for i := range r.Comparisons {
		troubledComparison(&r.Comparisons[i])
	}
	troubledGates(r)
	return r
}

// troubledGroup makes the points of the two trials what they are, and sums up anew.
func troubledGroup(g *report.RecoveryGroup) {
	var rto []float64
	g.Points = slices.Clone(g.Points)
	for i := range g.Points {
		p := &g.Points[i]
		p.Valid = p.Trial != lateTrial
		if p.Trial == neverTrial && g.Op == "write" && p.Failed > 0 {
			p.RTO, p.Gap, p.Censored = report.Number(math.Inf(1)), report.Number(math.Inf(1)), true
			g.Censored++
		}
		if p.Valid {
			rto = append(rto, p.RTO.Float())
		}
	}
	slices.Sort(rto)
	n := len(rto)
	g.Trials, g.Median, g.Best, g.Worst = n, report.Number((rto[(n-1)/2]+rto[n/2])/2), report.Number(rto[0]), report.Number(rto[n-1])
	g.Gap = g.Median * 1.04
}

// troubledComparison leaves the invalid trial's block out.
func troubledComparison(c *report.Comparison) {
	c.Pairs = slices.Clone(c.Pairs)
	for i := range c.Pairs {
		p := &c.Pairs[i]
		switch {
		case p.Block == 5:
			p.Dropped, p.Ratio = lateTrial+": "+lateReason, report.Missing()
			c.Used--
		case p.Block == 3 && c.Metric == "recovery.time":
			p.Base, p.BaseCensored, p.Ratio = report.Number(math.Inf(1)), true, 0
		}
	}
	if c.Used < 6 && c.Confidence > 0 {
		finding, _, _ := strings.Cut(c.Text, " (")
		if finding == "no difference found" { // which takes an interval
			finding = digits(100*math.Abs(c.Ratio.Float()-1)) + " % " + map[bool]string{true: "higher", false: "lower"}[c.Ratio > 1]
		}
		c.Text = finding + " by the estimate of 5 blocks"
		c.Low, c.High, c.Confidence = report.Missing(), report.Missing(), 0
		c.SmallestP, c.P, c.PFlip = 0.0625, 0.0625, 0.0625
	}
}

func troubledGates(r *report.Result) {
	for i := range r.Gates {
		for k := range r.Gates[i].Results {
			if res := &r.Gates[i].Results[k]; res.Profile == "fast-election" && res.Comparison == nil {
				res.Reason = strings.NewReplacer("of 6 trials", "of 5 trials", lateTrial, "011-b6-fast-election").Replace(res.Reason) + "; 1 trial of 6 not valid and left out"
			}
		}
	}
	bound, against := &r.Gates[3], &r.Gates[4]
	bound.Verdict = report.Regressed
	bound.Results[0].Verdict, bound.Results[0].Value = report.Regressed, report.Number(math.Inf(1))
	bound.Results[0].Reason = "not recovered when the observation ended after 7 s in 005-b3-stock, where at most 10 s is allowed; 1 trial of 6 broke the bound"
	against.Verdict = report.Invalid
	res := &against.Results[0]
	troubledComparison(res.Comparison)
	res.Verdict, res.Reason = report.Invalid, "only 5 of 6 blocks could be used ("+lateTrial+": "+lateReason+"), and a 95 % interval needs 6"
}

// What a page says of an invalid trial and of one that did not recover.
func TestTroubled(t *testing.T) {
	t.Parallel()
	r := troubled()
	golden.Check(t, "troubled.md", render(t, Markdown, r))
	page := render(t, HTML, r)
	for what, want := range map[string]string{
		"the trial in the table":         "✕ invalid",
		"its place in the order":         ` not" title="` + lateTrial + `: invalid"`,
		"its dot":                        `class="dot hollow"`,
		"its dot's title":                ", invalid trial</title>",
		"why it does not count":          "end lag p99 of 210ms is over its bound",
		"the profile's count":            "5 of 6 trials valid",
		"a recovery without an end":      `text-anchor="end">▷<title>` + neverTrial + `: not recovered within 7 s</title>`,
		"how many of them":               "1 of 6 not recovered",
		"their number in the table":      `<b class="bad">1</b>`,
		"the worst of them":              "not recovered",
		"the comparison that is invalid": "only 5 of 6 blocks could be used",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s: the page does not hold %s", what, want)
		}
	}
	if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
		t.Error("the page holds NaN or Inf")
	}
	if suite := readSuite(t, r); suite.Failures != 1 || suite.Errors != 1 {
		t.Errorf("%d failures and %d errors, want one of each", suite.Failures, suite.Errors)
	}
}
