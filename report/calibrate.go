package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report/stats"
)

// Calibration says what a machine can tell about a scenario: how much the
// trials of one block differ by themselves, and so which difference how many
// blocks can find.
type Calibration struct {
	Schema   int      `json:"schema"`
	Run      Run      `json:"run"`
	Base     string   `json:"base"`
	Profile  string   `json:"profile"`
	Twins    bool     `json:"twins"` // both are the same profile: an A/A run
	Blocks   int      `json:"blocks"`
	Alpha    float64  `json:"alpha"`
	Family   int      `json:"family"` // comparisons that Holm's correction counts
	Warnings []string `json:"warnings"`
	Metrics  []Noise  `json:"metrics"`
}

// Noise is what is known of a gated metric's noise.
type Noise struct {
	Title  string  `json:"title"`
	Metric string  `json:"metric"`
	Stat   string  `json:"stat,omitempty"`
	Unit   string  `json:"unit"`
	Median Number  `json:"median"` // of the base's trials
	Margin float64 `json:"margin"` // of the gate; 0 where it has a bound instead
	Pairs  int     `json:"pairs"`
	// SD is the standard deviation of the log ratios of the blocks; SDHigh its
	// upper bound with 80 % confidence, which everything below is reckoned with:
	// so few blocks know the noise itself only roughly.
	SD     Number `json:"sd"`
	SDHigh Number `json:"sdHigh"`
	// Ratio is the profile over its twin with its interval: in an A/A run the
	// truth is 1.
	Ratio      Number       `json:"ratio"`
	Low        Number       `json:"low"`
	High       Number       `json:"high"`
	Confidence float64      `json:"confidence"`
	FalseAlarm bool         `json:"falseAlarm,omitempty"` // an A/A interval that leaves out 1
	Detect     []Detectable `json:"detect"`
	// Blocks is how many blocks the gate's margin needs for a profile without a
	// difference to pass in 95 % of runs; 0 where none up to 64 is enough, or
	// there is no margin.
	Blocks int    `json:"blocksForMargin"`
	Text   string `json:"text"` // the advice, or why there is none
}

// Detectable is what n blocks can tell.
type Detectable struct {
	Blocks int `json:"blocks"`
	// Ratio80 and Ratio95 are the smallest true ratios that are told from 1 in
	// 80 and 95 % of runs; of a metric where more is better their inverses are.
	Ratio80 Number `json:"ratio80"`
	Ratio95 Number `json:"ratio95"`
	// Margin is the smallest margin at which a profile without a difference
	// passes in 95 % of runs.
	Margin Number `json:"margin"`
}

// The numbers of blocks that are reckoned for beside the run's own, and the
// most that are searched.
var calibrated = []int{6, 8, 12, 16, 24}

const mostBlocks = 64

// Calibrate says what a run with pairs of trials tells of the noise: best one
// of a profile against itself (storm calibrate), but any will do, since a
// difference between profiles moves all blocks alike.
func Calibrate(dir *rundir.Dir) (*Calibration, error) {
	run := dir.Run()
	if len(run.Profiles) < 2 {
		return nil, fmt.Errorf("%s has one profile: the noise shows between two, run `storm calibrate %s`", dir.Path(), or(run.Scenario, "SCENARIO"))
	}
	trials, err := read(dir, dir.Trials())
	if err != nil {
		return nil, err
	}
	j := &judgement{run: run, trials: trials}
	a, b := run.Profiles[0], run.Profiles[1]
	c := &Calibration{
		Schema: SchemaVersion, Run: runOf(dir, run, trials), Base: a.Name, Profile: b.Name,
		Twins: slices.Equal(a.Changes, b.Changes), Blocks: run.Blocks, Alpha: alphaOf(run), Warnings: []string{}, Metrics: []Noise{},
	}
	if !c.Twins {
		c.Warnings = append(c.Warnings, fmt.Sprintf("%s and %s are different profiles: where the difference varies from block to block, it counts as noise", a.Name, b.Name))
	}
	if why := incomplete(&Result{Run: c.Run, Trials: trialsOf(trials)}); why != "" {
		c.Warnings = append(c.Warnings, why)
	}
	if why := unusable(profilesOf(run, trials)[:2]); why != "" {
		c.Warnings = append(c.Warnings, why)
	}
	gates := gatedMetrics(run.Gates)
	c.Family = comparisonsOf(run)
	for _, g := range gates {
		c.Metrics = append(c.Metrics, j.noise(g, c))
	}
	if len(c.Metrics) == 0 {
		return nil, fmt.Errorf("%s has no gate on what its blocks measure: calibration is for gated metrics", dir.Path())
	}
	cleanText(c)
	return c, nil
}

// unusable says how many trials of each profile are valid; empty where all are.
func unusable(profiles []Profile) string {
	var counts []string
	all := true
	for _, p := range profiles {
		counts = append(counts, fmt.Sprintf("%s %d of %d", p.Name, p.Valid, p.Planned))
		all = all && p.Valid == p.Planned
	}
	if all {
		return ""
	}
	return "not every trial can be used (valid: " + strings.Join(counts, ", ") + "): what made the others unusable may be a difference between the two"
}

// comparisonsOf is how many comparisons Holm's correction counts: of the scenario
// that an A/A run stands for. A run of before that was written down has its gates.
func comparisonsOf(run rundir.Run) int {
	if run.Comparisons > 0 {
		return run.Comparisons
	}
	n := 0
	for _, g := range run.Gates {
		switch {
		case g.Compare != "" && g.Profile != "":
			n++
		case g.Compare != "":
			n += len(run.Profiles) - 1
		}
	}
	return n
}

// gatedMetrics are what the gates of the blocks look at, each once, with the
// margin of the gate that compares it, if there is one. Accounts of writes have
// no ratio.
func gatedMetrics(gates []rundir.Gate) []rundir.Gate {
	var out []rundir.Gate
	for _, g := range gates {
		if g.Tour != "" || withoutRatio(g) {
			continue
		}
		g.Max, g.Min = nil, nil
		if m, known := metricOf(g.Metric); !known {
			continue
		} else if len(m.Stats) > 0 && g.Stat == "" {
			g.Stat = "p99"
		}
		same := func(o rundir.Gate) bool {
			return o.Stat == g.Stat && subject(o) == subject(g) && whereText(o.Where) == whereText(g.Where)
		}
		if i := slices.IndexFunc(out, same); i >= 0 {
			if g.Compare != "" {
				out[i] = g
			}
			continue
		}
		out = append(out, g)
	}
	return out
}

// withoutRatio says whether a gate is on an account of writes.
func withoutRatio(g rundir.Gate) bool { return proofAnyway[g.Metric] || g.Metric == "restore.lost" }

// noise measures one metric.
func (j *judgement) noise(g rundir.Gate, of *Calibration) Noise {
	m, _ := metricOf(g.Metric)
	g.Compare = of.Base
	c := j.compare(g, m.Lower, m.Unit, values(g, j.of(g, of.Base)), values(g, j.of(g, of.Profile)), of.Profile)
	n := Noise{
		Title: subject(g), Metric: g.Metric, Stat: g.Stat, Unit: m.Unit, Median: c.BaseMedian, Margin: g.Margin, Pairs: c.Used,
		SD: Missing(), SDHigh: Missing(), Ratio: Missing(), Low: Missing(), High: Missing(), Detect: []Detectable{},
	}
	if c.empty != "" || c.unfair() {
		// What a gate would not compare is no measure of the noise either.
		_, n.Text = c.usable()
		return n
	}
	n.Ratio, n.Low, n.High, n.Confidence = c.Ratio, c.Low, c.High, c.Confidence
	n.FalseAlarm = of.Twins && c.Confidence > 0 && (c.Low > 1 || c.High < 1)
	var logs []float64
	for _, p := range c.Pairs {
		if p.Dropped == "" {
			logs = append(logs, math.Log(p.Ratio.Float()))
		}
	}
	// 80 % above is what an interval of 60 % leaves at either end.
	sd, _, high := stats.SD(logs, 0.6)
	switch {
	case len(logs) < 2:
		n.Text = fmt.Sprintf("%s give no noise: %s", unit.Count(len(logs), "pair"), or(firstDropped(c.Pairs), "two are the least"))
		return n
	case c.bothCensored() > 0:
		// Their ratio counts as 1, which would be no noise at all.
		n.Text = fmt.Sprintf("in %d of %s %s, so its noise cannot be said", c.bothCensored(), unit.Count(c.Used, "block"), c.neitherEnded())
		return n
	case c.hidden():
		n.Text = fmt.Sprintf("%s: its noise cannot be said", c.hiding())
		return n
	case math.IsNaN(sd):
		n.Text = fmt.Sprintf("a pair has an infinite ratio, of a trial that %s or a 0: its noise cannot be said", endlessWords(c.Metric))
		return n
	case sd == 0:
		n.SD, n.SDHigh = 0, 0
		n.Text = "no pair differed at all: a count that does not vary, of which any difference will show"
		return n
	}
	n.SD, n.SDHigh = Number(sd), Number(high)
	n.detect(of)
	return n
}

func firstDropped(pairs []Pair) string {
	for _, p := range pairs {
		if p.Dropped != "" {
			return p.Dropped
		}
	}
	return ""
}

// detect reckons what blocks can tell at this noise. An interval's end may miss
// with half of alpha; a claim of a regression must survive Holm's correction
// too, which in the worst case divides alpha by all comparisons.
func (n *Noise) detect(of *Calibration) {
	tail := of.Alpha / 2
	claim := min(tail, of.Alpha/float64(max(1, of.Family)))
	high := n.SDHigh.Float()
	blocks := calibrated
	if !slices.Contains(blocks, of.Blocks) && of.Blocks <= mostBlocks {
		blocks = slices.Sorted(slices.Values(append(slices.Clone(blocks), of.Blocks)))
	}
	at := func(shift float64) Number { return Number(math.Exp(shift * high)) }
	for _, k := range blocks {
		if math.IsInf(stats.Detectable(k, tail, 0.95), 1) {
			continue // none of so few blocks tells anything
		}
		n.Detect = append(n.Detect, Detectable{
			Blocks: k, Ratio80: at(stats.Detectable(k, claim, 0.8)), Ratio95: at(stats.Detectable(k, claim, 0.95)),
			Margin: at(stats.Detectable(k, tail, 0.95)) - 1,
		})
	}
	if n.Margin > 0 {
		if k, ok := stats.NeedDetectable(math.Log1p(n.Margin)/high, tail, 0.95, mostBlocks); ok {
			n.Blocks = k
		}
	}
	n.Text = n.advice()
}

// advice is the margin and the number of blocks to use.
func (n *Noise) advice() string {
	i := slices.IndexFunc(n.Detect, func(d Detectable) bool { return d.Blocks >= 8 })
	if i < 0 {
		return "no number of blocks that was reckoned for can tell anything at this alpha"
	}
	d := n.Detect[i]
	with := fmt.Sprintf("with %d blocks take a margin of %s", d.Blocks, roundUp(d.Margin.Float()))
	switch {
	case n.Margin == 0:
		return with
	case n.Blocks == 0:
		return fmt.Sprintf("a margin of %s is beyond even %d blocks at this noise: %s, or calm the machine", percent(n.Margin), mostBlocks, with)
	default:
		return fmt.Sprintf("a margin of %s takes %d blocks; %s", percent(n.Margin), n.Blocks, with)
	}
}

// roundUp writes a margin as one would write it into a scenario: whole per cent,
// in steps of five from ten on.
func roundUp(margin float64) string {
	p := math.Ceil(100*margin - 1e-9)
	if p > 10 {
		p = 5 * math.Ceil(p/5)
	}
	return fmt.Sprintf("%.0f%%", max(1, p))
}
