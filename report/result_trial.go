package report

import (
	"time"

	"github.com/storm-harness/storm/internal/rundir"
)

// State is what became of a planned trial.
type State string

// The states of a trial.
const (
	TrialValid     State = "valid"
	TrialInvalid   State = "invalid"
	TrialDiscarded State = "discarded"   // of the warm-up block
	TrialCutOff    State = "cut off"     // it began and has no trial.json
	TrialMissing   State = "not started" // planned, and nothing of it is there
)

// Trial is one trial in run order.
type Trial struct {
	ID       string    `json:"id"`
	Order    int       `json:"order"` // from 1
	Block    int       `json:"block"` // from 1; 0 for a tour
	Profile  string    `json:"profile"`
	Tour     string    `json:"tour,omitempty"`
	State    State     `json:"state"`
	Reasons  []string  `json:"reasons,omitempty"` // why it is not valid
	Warnings []string  `json:"warnings,omitempty"`
	Origin   time.Time `json:"origin,omitzero"`
	Duration Number    `json:"duration"`
	Reset    Number    `json:"reset"`              // seconds the reset before it took
	ResetHow string    `json:"resetHow,omitempty"` // in which way it came about
	Phases   []Span    `json:"phases"`
	Acts     []Act     `json:"acts"`
	Events   []Moment  `json:"events"` // leader changes, alarms, exits, starts, warnings, notes
	Requests uint64    `json:"requests"`
	Failed   uint64    `json:"failed"`
	Leaders  int       `json:"leaderChanges"`
	Exits    []string  `json:"exits,omitempty"`
	Load     Load      `json:"load"`
}

// Span is a stretch of a trial.
type Span struct {
	Name string  `json:"name"`
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// Moment is an event of a trial.
type Moment struct {
	At      float64 `json:"at"`
	Kind    string  `json:"kind"` // rundir's Event kinds
	Subject string  `json:"subject,omitempty"`
	Text    string  `json:"text,omitempty"`
}

// Act is a fault or an operation as it happened. The instants are missing where
// the act did not get there.
type Act struct {
	Trial    string             `json:"trial"`
	Profile  string             `json:"profile"`
	Name     string             `json:"name"`
	Kind     string             `json:"kind"`
	Sort     string             `json:"sort"`            // fault or operation
	About    string             `json:"about,omitempty"` // what it does, in the words of its kind
	Shard    string             `json:"shard,omitempty"`
	Target   string             `json:"target,omitempty"`
	Intended Number             `json:"intended"`
	Injected Number             `json:"injected"`
	Proven   Number             `json:"proven"`
	Healing  Number             `json:"healing"`
	Healed   Number             `json:"healed"`
	Proof    string             `json:"proof,omitempty"`
	HealedBy string             `json:"healedBy,omitempty"`
	HealSort string             `json:"healSort,omitempty"`
	Error    string             `json:"error,omitempty"`
	Facts    map[string]float64 `json:"facts,omitempty"`
	Notes    []string           `json:"notes,omitempty"`
	Recovery []Recovered        `json:"recovery,omitempty"`
}

// Recovered is one measured recovery time.
type Recovered struct {
	Layer    string `json:"layer"`
	Op       string `json:"op"`
	Shard    string `json:"shard,omitempty"`
	Target   string `json:"target"`
	Worst    bool   `json:"worst"`
	RTO      Number `json:"rto"` // +Inf where Censored
	Gap      Number `json:"gap"` // longest time between two successes
	Stable   Number `json:"stable"`
	Failed   int    `json:"failed"`
	Probes   int    `json:"probes"`
	Censored bool   `json:"censored,omitempty"`
	Seen     Number `json:"seen"` // how long it was watched
}

// Load is the load generator's own health in one trial.
type Load struct {
	SendLagP99  Number   `json:"sendLagP99"` // seconds
	SendLagMax  Number   `json:"sendLagMax"`
	RunQueueP99 Number   `json:"runQueueP99"` // seconds that a thread of storm's waited for a turn on a processor: the mean of a second, p99 of the seconds
	GCPauseMax  Number   `json:"gcPauseMax"`  // seconds: the longest that the garbage collector stopped storm, outside faults
	Files       int      `json:"files"`       // the most that storm had open, sockets among them; 0: not counted
	FileLimit   uint64   `json:"fileLimit"`   // how many it may have open; 0: not known
	Refused     uint64   `json:"refused"`
	Intended    uint64   `json:"intended"`
	Problems    []string `json:"problems,omitempty"`
}

// RecoveryGroup is one kind of recovery over all trials of a profile: a row of
// the recovery table and a strip of the plot.
type RecoveryGroup struct {
	Profile  string          `json:"profile"`
	Tour     string          `json:"tour,omitempty"`
	Act      string          `json:"act"`
	Sort     string          `json:"sort"`
	Layer    string          `json:"layer"`
	Op       string          `json:"op"`
	Shard    string          `json:"shard,omitempty"`
	Trials   int             `json:"trials"`           // those that count
	Censored int             `json:"censored"`         // of those, not recovered while watched
	Unwell   int             `json:"unwell,omitempty"` // others, in which this recovered and other parts were not well again
	Median   Number          `json:"median"`
	Best     Number          `json:"best"`
	Worst    Number          `json:"worst"`
	Gap      Number          `json:"gap"` // median of the longest gaps
	Points   []RecoveryPoint `json:"points"`
}

// RecoveryPoint is one trial's recovery time.
type RecoveryPoint struct {
	Trial    string `json:"trial"`
	Block    int    `json:"block"`
	Target   string `json:"target"`
	RTO      Number `json:"rto"` // +Inf where Censored
	Gap      Number `json:"gap"`
	Failed   int    `json:"failed"`
	Censored bool   `json:"censored,omitempty"`
	Seen     Number `json:"seen"`
	Valid    bool   `json:"valid"`            // it counts: of a valid trial, or a recovery that did not come; others are drawn only
	Unwell   bool   `json:"unwell,omitempty"` // it does not count: after the act other parts were not well again
}

// Audit is an account of acknowledged writes, of one trial.
type Audit struct {
	Trial   string `json:"trial"`
	Profile string `json:"profile"`
	Block   int    `json:"block"`
	Tour    string `json:"tour,omitempty"`
	Valid   bool   `json:"valid"`
	rundir.Audit
}

// Latency is a row of the latency table: medians over a profile's valid trials
// of what each trial showed.
type Latency struct {
	Profile  string `json:"profile"`
	Tour     string `json:"tour,omitempty"`
	Phase    string `json:"phase"`
	Workload string `json:"workload"`
	Verb     string `json:"verb"`
	Resource string `json:"resource"`
	Scope    string `json:"scope"`
	Detail   string `json:"detail,omitempty"`
	Via      string `json:"via"` // api or etcd
	Trials   int    `json:"trials"`
	Requests uint64 `json:"requests"` // successes, in sum over the trials
	Failed   uint64 `json:"failed"`
	Rate     Number `json:"rate"`     // successes a second
	Received Number `json:"received"` // bytes of bodies a second, as they came over the wire, of watches that were open before too; missing where there are no bodies
	Decoded  Number `json:"decoded"`  // the same, decompressed
	P50      Number `json:"p50"`
	P90      Number `json:"p90"`
	P99      Number `json:"p99"` // missing where a trial had fewer than 100 requests
	P999     Number `json:"p999"`
	Max      Number `json:"max"` // largest of all trials
	// P99Low and P99High are the order-statistic interval of P99, the median
	// over the trials, between the values of two trials: requests of one trial
	// depend on each other, so only trials count. Missing where there are too
	// few of what P99Needs says.
	P99Low        Number  `json:"p99Low"`
	P99High       Number  `json:"p99High"`
	P99Confidence float64 `json:"p99Confidence,omitempty"` // achieved
	P99Needs      string  `json:"p99Needs,omitempty"`
}

// Curve is a percentile curve: the latency at each quantile, of all valid
// trials of a profile together.
type Curve struct {
	Profile  string    `json:"profile"`
	Group    string    `json:"group"` // mutating, read
	Requests uint64    `json:"requests"`
	Q        []float64 `json:"q"`
	Seconds  []Number  `json:"seconds"`
	// Quantiles are those that are spoken of, with what is known of them.
	Quantiles []Quantile `json:"quantiles"`
}

// Quantile is a quantile of the requests of all valid trials of a profile
// together, with its order-statistic interval.
type Quantile struct {
	Q       float64 `json:"q"`
	Seconds Number  `json:"seconds"`
	// Worth is how many independent requests those that there are are worth for
	// this quantile, estimated from how much the trials differ; missing where
	// there are too few trials to tell.
	Worth Number `json:"worth"`
	// Low and High are missing where the requests are worth too few: then Needs
	// says how many independent ones it takes, or how many trials.
	Low        Number  `json:"low"`
	High       Number  `json:"high"`
	Confidence float64 `json:"confidence,omitempty"` // achieved, were they worth just that
	Needs      string  `json:"needs,omitempty"`
}

// RPO is what the trials of a profile, or of a tour, say of the recovery point:
// which acknowledged writes were lost.
type RPO struct {
	Profile string `json:"profile"`
	Tour    string `json:"tour,omitempty"`
	Trials  int    `json:"trials"` // valid ones, with acknowledged writes that were looked up
	Acked   int    `json:"acked"`  // writes, in sum
	Losing  int    `json:"losing"` // trials that lost any, or took back what they should not have
	Lost    int    `json:"lost"`   // writes, in sum
	// Restored is the most writes that a restore of one trial took back, as it
	// must: what was acknowledged since the snapshot.
	Restored int `json:"restored"`
	// AtMost bounds the share of such trials that lose a write: the one-sided
	// bound of Clopper and Pearson, with the confidence asked. Writes of one
	// trial share its fault, so only trials count.
	AtMost     Number  `json:"atMost"`
	Confidence float64 `json:"confidence"`
	Text       string  `json:"text"`

	beside []besideLoss // what trials lost that do not count
}

// ErrorCount counts the failures of one code, or the attempts that were made again.
type ErrorCount struct {
	Profile  string `json:"profile"`
	Tour     string `json:"tour,omitempty"`
	Workload string `json:"workload"`
	Verb     string `json:"verb"`
	Resource string `json:"resource"`
	Phase    string `json:"phase"`
	Code     string `json:"code"`
	// Again is true for attempts that the server turned away so without looking at
	// them, and that were made again: no failures of requests.
	Again  bool   `json:"again,omitempty"`
	Count  uint64 `json:"count"`
	Trials int    `json:"trials"` // trials that saw it
}

// ChartGroup is a set of charts over one time axis.
type ChartGroup struct {
	Title string `json:"title"`
	Tour  string `json:"tour,omitempty"` // empty: the block trials, over each other
	// Zero says what the time 0 is: the trial's origin, or the intended instant
	// of the first act, so that trials lie over each other.
	Zero  string  `json:"zero"`
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	Bands []Band  `json:"bands"`
	Marks []Mark  `json:"marks"`
	Chart []Chart `json:"charts"`
}

// Band is a phase, or a fault or operation in force, of the median trial.
type Band struct {
	Name string  `json:"name"`
	Sort string  `json:"sort"` // phase, fault, operation
	From float64 `json:"from"`
	To   float64 `json:"to"`
}

// Mark is an event in one of the group's trials.
type Mark struct {
	Moment
	Trial   string `json:"trial"`
	Profile string `json:"profile"`
}

// Chart is one quantity over time.
type Chart struct {
	Name  string `json:"name"` // latency.{p50,p99}.{mutating,read}, throughput, errors, memory, cpu, etcd.dbsize, leader.changes
	Title string `json:"title"`
	Unit  string `json:"unit"`
	Log   bool   `json:"log,omitempty"` // better on a logarithmic axis
	Lines []Line `json:"lines"`
}

// Line is one trial's, or with Median the profile's, values. T and V have the
// same length; a missing V breaks the line.
type Line struct {
	Profile string    `json:"profile"`
	Trial   string    `json:"trial,omitempty"`
	Part    string    `json:"part,omitempty"` // component or shard, where the chart has several
	Median  bool      `json:"median,omitempty"`
	Valid   bool      `json:"valid"`
	T       []float64 `json:"t"`
	V       []Number  `json:"v"`
}
