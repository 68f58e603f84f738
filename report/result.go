package report

import (
	"time"

	"github.com/storm-harness/storm/internal/rundir"
)

// SchemaVersion is the version of Result as JSON (report.json).
const SchemaVersion = 1

// Result is what a run means. Unless a field says otherwise, times are in
// seconds since the trial's origin, memory is in bytes, ratios are the
// profile's value over the base's. Every text may hold what a cluster or a file
// said: control characters are replaced, markup is the renderer's to escape.
type Result struct {
	Schema   int     `json:"schema"`
	Verdict  Verdict `json:"verdict"`
	ExitCode int     `json:"exitCode"`
	// Headline is the verdict for a reader who has not seen the scenario: the
	// first sentence is the finding, the others add to it. Never empty.
	Headline []string `json:"headline"`

	Run         Run                 `json:"run"`
	Profiles    []Profile           `json:"profiles"` // in the scenario's order; the first is the base of the information tables
	Workloads   []rundir.Described  `json:"workloads"`
	Timeline    []rundir.Described  `json:"timeline"`
	Provider    string              `json:"provider"`
	Networking  string              `json:"networking"`
	Host        rundir.Host         `json:"host"`
	Limits      []string            `json:"limits"`   // what this machine limits, to be said beside the verdict
	Warnings    []string            `json:"warnings"` // about the run as a whole; those of a trial are with it
	Provenance  []rundir.Provenance `json:"provenance"`
	Gates       []Gate              `json:"gates"`
	Comparisons []Comparison        `json:"comparisons"` // information, without a verdict: every profile against the first
	Trials      []Trial             `json:"trials"`      // in run order, missing ones included
	Recovery    []RecoveryGroup     `json:"recovery"`
	Audits      []Audit             `json:"audits"`
	RPO         []RPO               `json:"rpo"` // what the trials say of lost writes, a row a profile and tour
	Latency     []Latency           `json:"latency"`
	Curves      []Curve             `json:"curves"`
	Errors      []ErrorCount        `json:"errors"`
	Costs       []Cost              `json:"costs"`    // what the loads cost the servers
	Heat        []HeatMap           `json:"heat"`     // of the block trials
	Shards      []ShardLoad         `json:"shards"`   // what each etcd shard did, by profile
	Levels      []LevelLoad         `json:"levels"`   // what each priority level of the API servers did, by profile
	Scenario    []string            `json:"scenario"` // the scenario as it was resolved, in lines of YAML
	Charts      []ChartGroup        `json:"charts"`   // the block trials over each other, then each tour
	Method      Method              `json:"method"`
}

// Run is the run itself, and how to repeat it.
type Run struct {
	ID       string    `json:"id"`
	Dir      string    `json:"dir"` // base name of the run directory
	Scenario string    `json:"scenario"`
	About    string    `json:"about"`
	Storm    string    `json:"storm"`
	Command  []string  `json:"command"`
	Repeat   string    `json:"repeat"` // one shell line that repeats the run with the same seed
	Seed     int64     `json:"seed"`
	Blocks   int       `json:"blocks"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"`
	Outcome  string    `json:"outcome"` // complete, interrupted, failed, or "cut off" where the run directory ends without an outcome
	Error    string    `json:"error,omitempty"`
	// Complete is false where trials of the plan are missing or cut off; then
	// the verdict is never pass.
	Complete bool `json:"complete"`
	// Planned, Valid, Invalid and Missing count trials; Missing were planned
	// and never ended. Discarded are those of the warm-up block, which are in
	// none of the others.
	Planned   int `json:"planned"`
	Valid     int `json:"valid"`
	Invalid   int `json:"invalid"`
	Missing   int `json:"missing"`
	Discarded int `json:"discarded"`
	// ShortSteady is true where the steady phase is shorter than the 5 minutes
	// that the official SLOs are defined over.
	ShortSteady bool `json:"shortSteady"`
}

// Profile is one set of values under comparison, with the count of its block
// trials.
type Profile struct {
	Name     string                `json:"name"`
	About    string                `json:"about,omitempty"` // what the scenario says of it
	Changes  []string              `json:"changes"`         // empty: the scenario as it stands
	Base     bool                  `json:"base"`
	Shards   []rundir.ShardSummary `json:"shards"`
	Parts    map[string]int        `json:"parts"`
	Planned  int                   `json:"planned"`
	Valid    int                   `json:"valid"`
	Invalid  int                   `json:"invalid"`
	Missing  int                   `json:"missing"`
	Versions map[string]string     `json:"versions"` // component → version
}

// Gate is a threshold and what became of it.
type Gate struct {
	rundir.Gate
	Title   string   `json:"title"` // "api.latency p99 (verb mutating, phase steady) ≤ 1 s"
	About   string   `json:"about"` // what the metric is, in words
	Unit    string   `json:"unit"`  // seconds, fraction, per second, count, bytes
	Lower   bool     `json:"lower"` // less is better
	Verdict Verdict  `json:"verdict"`
	Reason  string   `json:"reason"`  // one sentence: what was seen, and why this verdict
	Results []Judged `json:"results"` // one a profile that it was judged on
}

// Subject is what the gate is about, in words for the middle of a sentence:
// "p99 latency of mutating requests in the steady phase".
func (g Gate) Subject() string { return subject(g.Gate) }

// Judged is a gate on one profile.
type Judged struct {
	Profile string  `json:"profile"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"`
	// Looked says what of the trials is held against the bound: "median of
	// trials" or "worst trial"; "paired ratio" for a comparison.
	Looked     string       `json:"looked"`
	Value      Number       `json:"value"` // what was held against the bound; of a comparison the ratio
	Worst      Number       `json:"worst"`
	WorstTrial string       `json:"worstTrial,omitempty"`
	Values     []TrialValue `json:"values"` // this profile's, in run order
	Comparison *Comparison  `json:"comparison,omitempty"`
}

// TrialValue is a metric's value of one trial.
type TrialValue struct {
	Trial   string `json:"trial"`
	Block   int    `json:"block"`
	Profile string `json:"profile"`
	Value   Number `json:"value"` // missing where there were no samples; +Inf where censored
	// Censored: the value is only known to be above Seen.
	Censored bool   `json:"censored,omitempty"`
	Seen     Number `json:"seen"`
	Samples  uint64 `json:"samples"` // requests, probes, observations behind the value
	Valid    bool   `json:"valid"`   // of the trial; a recovery that did not come counts in any
	Note     string `json:"note,omitempty"`

	own     string  // why the trial is unusable where the system under test is the reason
	failing float64 // the share of what was asked for that failed, and has no latency
}

// Comparison holds a profile against a base by paired blocks: the
// Hodges-Lehmann estimate of the log ratio, its exact interval, and the p that
// inverts the same test. Ratios are the profile's value over the base's.
type Comparison struct {
	Title   string `json:"title"`
	Group   string `json:"group"` // of the information table: recovery, latency, load, server
	Metric  string `json:"metric"`
	Stat    string `json:"stat,omitempty"`
	Unit    string `json:"unit"`
	Lower   bool   `json:"lower"` // less is better
	Base    string `json:"base"`
	Profile string `json:"profile"`
	// BaseMedian and ProfileMedian are medians over the trials of the used pairs.
	BaseMedian    Number `json:"baseMedian"`
	ProfileMedian Number `json:"profileMedian"`
	Pairs         []Pair `json:"pairs"` // one a planned block
	Planned       int    `json:"planned"`
	Used          int    `json:"used"`
	// Ratio, Low and High: the estimate and its interval. Infinite where
	// censored pairs reach it: then the estimate is a bound (Bound is true).
	// Missing where no interval of the asked confidence exists.
	Ratio Number `json:"ratio"`
	Low   Number `json:"low"`
	High  Number `json:"high"`
	Bound bool   `json:"bound,omitempty"`
	// Confidence is the interval's achieved confidence, at least the asked one;
	// 0 without an interval.
	Confidence float64 `json:"confidence"`
	Margin     float64 `json:"margin,omitempty"` // of a gate; 0 for information
	P          Number  `json:"p"`                // two-sided, against no difference; inverts the interval
	// PMargin is one-sided: against "not worse than the margin". PHolm is the
	// same after Holm's correction over all comparisons of gates of this run.
	PMargin Number `json:"pMargin"`
	PHolm   Number `json:"pHolm"`
	// PFlip is the sign-flip test of the mean log ratio, two-sided, as a second
	// look that decides nothing; FlipSampled is the number of sampled flips, 0
	// where all were enumerated.
	PFlip       Number  `json:"pFlip"`
	FlipSampled int     `json:"flipSampled,omitempty"`
	FlipError   float64 `json:"flipError,omitempty"` // standard error that sampling gives PFlip
	SmallestP   float64 `json:"smallestP"`           // the least two-sided p that this number of pairs can give
	// Text is the finding in words: "2.1× faster (95 % interval 1.8–2.4)".
	Text string   `json:"text"`
	Note []string `json:"notes,omitempty"`

	badBase, badProfile int     // trials of either side that cannot be used
	ownBase, ownProfile int     // those of them of which the system under test is the reason
	failBase, failProf  float64 // of requests, the mean share over the used trials that failed and has no latency
	empty               string  // a valid trial of either side in which nothing was measured
	alpha               float64 // asked
}

// Pair is one block's two values.
type Pair struct {
	Block         int    `json:"block"`
	Base          Number `json:"base"`
	Profile       Number `json:"profile"`
	Ratio         Number `json:"ratio"`
	BaseCensored  bool   `json:"baseCensored,omitempty"`
	ProfCensored  bool   `json:"profileCensored,omitempty"`
	BaseTrial     string `json:"baseTrial,omitempty"`
	ProfileTrial  string `json:"profileTrial,omitempty"`
	Dropped       string `json:"dropped,omitempty"` // why the block is not used
	ProfileBefore bool   `json:"profileBefore"`     // the profile ran before the base in this block
}

// Method is how the verdicts were reached, for the small print.
type Method struct {
	Confidence float64  `json:"confidence"` // asked: 0.95
	Alpha      float64  `json:"alpha"`
	Family     int      `json:"family"` // comparisons that Holm's correction counts
	MinBlocks  int      `json:"minBlocks"`
	Text       []string `json:"text"`
}
