// Package rundir is the format of a run directory: the product of a run, from
// which every report is rendered, years later if need be. docs/run-directory.md
// describes it for people; this package is what writes and reads it.
//
//	run.json                      the Run: what was planned, with what, where
//	scenario.yaml                 the scenario as it was resolved
//	events.jsonl                  Events of the run as a whole
//	logs/                         the components' logs, over all trials
//	components.json               []Provenance
//	trials/001-b1-stock/trial.json      the Trial; absent when it was cut off
//	trials/001-b1-stock/events.jsonl    Events: phases, faults, operations, observations
//	trials/001-b1-stock/windows.jsonl   Windows: latencies and errors by series and second
//	trials/001-b1-stock/probes.jsonl    Probes: single outcomes, near faults
//	trials/001-b1-stock/scrapes.jsonl   Scrapes: the components' own metrics
//	trials/001-b1-stock/process.jsonl   Process: CPU and memory of components and of storm
//	trials/001-b1-stock/journal.jsonl   Writes: what the witness had acknowledged
//
// Every .jsonl file is append-only, one JSON object a line; a reader skips an
// unfinished last line. Times are nanoseconds since the trial's origin, which
// events.jsonl's first line ties to the wall clock.
package rundir

import (
	"strings"
	"time"
)

// UnderFloor begins the reason of a trial whose load was too small before the fault.
const UnderFloor = "the load was under its floor"

// LoadGenerator begins the reason of a trial whose load storm could not keep up with.
const LoadGenerator = "the load generator: "

// stoodStill begins the reason of a trial in which nothing ran for a while.
const stoodStill = "the machine, or storm on it, stood still for "

// OfTheMachine says whether a machine that is too busy is reason enough for a trial to
// be invalid for that reason, whatever ran on it.
func OfTheMachine(reason string) bool {
	for _, begins := range []string{LoadGenerator, stoodStill} {
		if strings.HasPrefix(reason, begins) {
			return true
		}
	}
	return false
}

// NotWhole begins the error of an act that was not begun, because the cluster was not
// well before it.
const NotWhole = "not started, because the cluster was not whole before"

// NotReadBack begins the reason of a trial whose acknowledged writes could not be
// looked up.
const NotReadBack = "acknowledged writes could not be read back"

// FormatVersion is the version of the format; a reader refuses a newer one.
const FormatVersion = 1

// Run is run.json.
type Run struct {
	Format   int       `json:"format"`
	ID       string    `json:"id"`
	Scenario string    `json:"scenario"`
	About    string    `json:"about"` // the scenario's description
	Storm    string    `json:"storm"` // version of storm
	Command  []string  `json:"command"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished,omitzero"` // zero: still running, or killed
	Outcome  string    `json:"outcome,omitempty"` // complete, interrupted, failed
	Error    string    `json:"error,omitempty"`
	Seed     int64     `json:"seed"`
	Blocks   int       `json:"blocks"`
	Alpha    float64   `json:"alpha,omitempty"` // the chance of a false claim that the scenario allows; 0 is 0.05
	Profiles []Profile `json:"profiles"`
	Plan     []Planned `json:"plan"`
	Gates    []Gate    `json:"gates"`
	// Comparisons is how many Holm's correction counts; of an A/A run, those of the
	// scenario that it stands for.
	Comparisons int         `json:"comparisons,omitempty"`
	Provider    string      `json:"provider"`
	Networking  string      `json:"networking"` // "namespaces" or "loopback"
	Topology    []Topology  `json:"topology"`
	Host        Host        `json:"host"`
	Limits      []string    `json:"limits"` // what this box limits, said beside the verdict
	Workloads   []Described `json:"workloads"`
	Timeline    []Described `json:"timeline"`
	// ShortSteady is true where the steady phase is shorter than the 5 minutes
	// that the official SLOs are defined over.
	ShortSteady bool `json:"shortSteady"`
	// ScenarioSHA256 is the digest of scenario.yaml as it was written.
	ScenarioSHA256 string `json:"scenarioSha256,omitempty"`
	// Observing is how storm itself observed; nil in what was run before it was kept.
	Observing *Observing `json:"observing,omitempty"`
}

// Observing is how often a second storm itself asked and wrote to observe a run.
type Observing struct {
	Probes  float64 `json:"probes"`  // of each kind, at each endpoint
	Witness float64 `json:"witness"` // writes on each path
}

// Profile is one set of values under comparison.
type Profile struct {
	Name    string   `json:"name"`
	About   string   `json:"about,omitempty"` // what the scenario says of it
	Changes []string `json:"changes"`         // "cluster.etcd.heartbeatInterval=50ms"; empty for the scenario as it stands
}

// Planned is one trial of the plan.
type Planned struct {
	ID      string `json:"id"`    // 001-b1-stock, 013-tour-repair
	Block   int    `json:"block"` // from 1; 0 for a tour and for the warm-up block
	Profile string `json:"profile"`
	Tour    string `json:"tour,omitempty"`
	// Discarded marks the trials of the warm-up block: they are run and kept,
	// and no comparison and no threshold looks at them.
	Discarded bool `json:"discarded,omitempty"`
}

// Topology is the wanted cluster of one profile, in a reader's terms.
type Topology struct {
	Profile string         `json:"profile"`
	Shards  []ShardSummary `json:"shards"`
	Parts   map[string]int `json:"parts"` // kube-apiserver: 1, …
}

// ShardSummary is one etcd shard.
type ShardSummary struct {
	Name      string   `json:"name"`
	Members   int      `json:"members"`
	Resources []string `json:"resources,omitempty"`
	Version   string   `json:"version"`
}

// Described is a name with a sentence about it.
type Described struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	Text string `json:"text"`
}

// Host is the machine that ran it all.
type Host struct {
	OS       string `json:"os"`
	Kernel   string `json:"kernel"`
	CPU      string `json:"cpu"`
	Cores    int    `json:"cores"`
	MemoryMB int64  `json:"memoryMB"`
	FsyncUS  int64  `json:"fsyncUS"` // median fsync of a 4 KiB write on the data disk, microseconds; 0 unknown
	Root     bool   `json:"root"`
	Nice     int    `json:"nice"`     // of storm's own threads: below 0 they go before the control plane's
	RealTime bool   `json:"realTime"` // they are real-time threads (SCHED_RR), and go before all ordinary ones
}

// Provenance says what a binary is and where it came from.
type Provenance struct {
	Component string `json:"component"` // etcd, etcdctl, kube-apiserver, …
	Profile   string `json:"profile,omitempty"`
	Version   string `json:"version"`
	SHA256    string `json:"sha256"`
	GoVersion string `json:"goVersion"`
	Origin    string `json:"origin"` // "release", "module build", "binDir /path"
	Path      string `json:"path"`
}

// Trial is trial.json, written once, when the trial ended.
type Trial struct {
	Planned
	Origin   time.Time `json:"origin"`
	Duration int64     `json:"duration"` // ns
	Outcome  string    `json:"outcome"`  // "done", "interrupted", "failed"
	Error    string    `json:"error,omitempty"`
	// Invalid lists why nothing may be concluded from this trial; empty: valid.
	Invalid  []string      `json:"invalid,omitempty"`
	Warnings []string      `json:"warnings,omitempty"`
	Phases   []Phase       `json:"phases"`
	Acts     []Act         `json:"acts"`
	Journal  []Audit       `json:"journal"`
	Health   Generator     `json:"generator"`
	Exits    []string      `json:"exits,omitempty"`    // components that died unasked
	Reset    time.Duration `json:"reset"`              // how long the reset before it took, ns
	ResetHow string        `json:"resetHow,omitempty"` // in which way
	Clock    Clock         `json:"clock,omitzero"`
	// Files is how long each of the trial's other files was when the trial
	// ended, in bytes; Finish fills it in. A file of another length has lost
	// something since, or gained it.
	Files map[string]int64 `json:"files,omitempty"`
}

// Clock is what the wall clock did during a trial, beside the monotonic clock
// that everything is measured by.
type Clock struct {
	Readings int   `json:"readings"` // of both clocks at once, one a second
	StepMax  int64 `json:"stepMax"`  // ns: the furthest that the wall clock moved against the other between two readings
	Drift    int64 `json:"drift"`    // ns: how far it had moved in all when the trial ended
	StallMax int64 `json:"stallMax"` // ns: the longest that a reading came late, as where the machine stood still
}

// Phase is a stretch of a trial: warmup, steady, fault, recovery, cooldown, or operation.
type Phase struct {
	Name string `json:"name"`
	From int64  `json:"from"`
	To   int64  `json:"to"`
}

// Act is a fault or an operation as it happened. Times are ns since the
// origin; 0 where the act did not get there.
type Act struct {
	Name     string   `json:"name"` // leaderKill, or the name given in the scenario
	Kind     string   `json:"kind"`
	Sort     string   `json:"sort"` // "fault" or "operation"
	Shard    string   `json:"shard,omitempty"`
	Target   string   `json:"target,omitempty"` // the component or link it hit
	Down     []string `json:"down,omitempty"`   // components that it took out of service itself, until it was healed
	Intended int64    `json:"intended"`
	Injected int64    `json:"injected"` // the injection's call returned
	Proven   int64    `json:"proven"`
	Healing  int64    `json:"healing"`
	Healed   int64    `json:"healed"`
	Proof    string   `json:"proof,omitempty"`     // what was observed
	HealedBy string   `json:"healed_by,omitempty"` // what was observed after the heal
	HealSort string   `json:"heal_sort,omitempty"` // auto, timeline, or "abort": storm healed by itself
	Error    string   `json:"error,omitempty"`
	// Unhealed is true where the fault struck and was taken back, by storm or by the
	// timeline, and what it had disturbed was not well again within the bound: a
	// recovery that is known only to be longer. Error says so too.
	Unhealed bool `json:"unhealed,omitempty"`
	// Recovery lists the measured recovery times.
	Recovery []Recovery `json:"recovery,omitempty"`
	// Facts are the numbers an operation yields: revision, keys, bytes.
	Facts map[string]float64 `json:"facts,omitempty"`
	Notes []string           `json:"notes,omitempty"`
}

// Recovery is one measured recovery time objective: from the intended instant
// of the act to the completion of the first of N consecutive successes.
type Recovery struct {
	Layer   string `json:"layer"` // api or etcd
	Op      string `json:"op"`    // read or write
	Shard   string `json:"shard,omitempty"`
	Target  string `json:"target"`        // the endpoint's component
	Worst   bool   `json:"worst"`         // the slowest surviving target of its layer, op and shard: the number that gates use
	RTO     int64  `json:"rto,omitempty"` // ns; meaningless when Censored
	Stable  int64  `json:"stable"`        // ns from the intended instant to the last failure seen, 0 if none failed
	Failed  int    `json:"failed"`        // probes that failed after the intended instant
	Probes  int    `json:"probes"`        // probes looked at
	Longest int64  `json:"longest"`       // ns: the longest span between two completions of successful probes, the gap a client sees
	// Censored is true when N consecutive successes were not seen before the
	// observation ended, Seen ns after the intended instant.
	Censored bool  `json:"censored,omitempty"`
	Seen     int64 `json:"seen"`
}

// Audit is the witness's account: acknowledged writes against what was found
// afterwards.
type Audit struct {
	After    string `json:"after"` // the act it followed, or "end"
	Via      string `json:"via"`   // etcd or api
	Shard    string `json:"shard,omitempty"`
	Acked    int    `json:"acked"`
	Found    int    `json:"found"`
	Unknown  int    `json:"unknown"`  // neither acknowledged nor refused, such as timeouts: not counted as lost
	Lost     int    `json:"lost"`     // acknowledged, not found, and not explained by a restore
	Restored int    `json:"restored"` // acknowledged after the snapshot, and gone with the restore, as they must be
	// Mismatch counts writes that contradict the restore: present though
	// after the snapshot, or absent though before it.
	Mismatch int `json:"mismatch"`
	// Disagree counts keys on which etcd and the apiserver differ.
	Disagree int      `json:"disagree"`
	Examples []string `json:"examples,omitempty"`
}

// Generator is storm's own health: could the load be trusted?
type Generator struct {
	SendLagP99  int64    `json:"sendLagP99"`  // ns, outside fault windows
	SendLagMax  int64    `json:"sendLagMax"`  // ns
	RunQueueP99 int64    `json:"runQueueP99"` // ns that a thread of storm's waited for a turn on a processor: the mean of a second, p99 of the seconds outside fault windows
	GCPauseMax  int64    `json:"gcPauseMax"`  // ns: the longest that the garbage collector stopped storm
	Files       int      `json:"files"`       // the most that storm had open, sockets among them
	FileLimit   uint64   `json:"fileLimit"`   // how many it may have open
	Refused     uint64   `json:"refused"`     // operations refused at the in-flight bound
	Intended    uint64   `json:"intended"`    // operations
	Problems    []string `json:"problems,omitempty"`
}

// Event is a line of events.jsonl. A trial's first has Kind "origin"; those of the
// run as a whole count from its start.
type Event struct {
	At      int64             `json:"at"`            // ns since the origin
	Wall    time.Time         `json:"wall,omitzero"` // of the origin event
	Kind    string            `json:"kind"`          // see the Kind constants
	Subject string            `json:"subject,omitempty"`
	Text    string            `json:"text,omitempty"`
	Data    map[string]string `json:"data,omitempty"`
}

// The kinds of Event.
const (
	EventOrigin       = "origin"
	EventLoadBegin    = "load.begin" // what was scraped before it was scraped without the loads
	EventPhaseBegin   = "phase.begin"
	EventPhaseEnd     = "phase.end"
	EventActIntended  = "act.intended"
	EventActInjected  = "act.injected"
	EventActProven    = "act.proven"
	EventActHealing   = "act.healing"
	EventActHealed    = "act.healed"
	EventActFailed    = "act.failed"
	EventLeaderChange = "leader.change" // subject: shard; text: old → new
	EventAlarm        = "alarm"         // subject: shard
	EventExit         = "component.exit"
	EventStart        = "component.start"
	EventWarning      = "warning" // of the run as a whole: what its report is to say
	EventNote         = "note"
)

// Key names a series of requests.
type Key struct {
	Workload string `json:"w"`             // the workload's name, or "probe", "witness"
	Verb     string `json:"v"`             // get, list, watch, create, update, patch, delete; etcd: put, range
	Resource string `json:"r"`             // pods, leases.coordination.k8s.io, nodes/status
	Scope    string `json:"s"`             // resource, namespace, cluster; etcd: ""
	Via      string `json:"via,omitempty"` // api (empty) or etcd
	Detail   string `json:"d,omitempty"`   // "unpaginated", "rv0", "paginated"
}

// Mutating says whether the key's verb changes something.
func (k Key) Mutating() bool {
	switch k.Verb {
	case "create", "update", "patch", "delete", "deletecollection", "put", "txn":
		return true
	}
	return false
}

// Window is a line of windows.jsonl: what one series did in one interval.
type Window struct {
	Key
	From   int64             `json:"from"` // ns since the origin
	To     int64             `json:"to"`
	OK     uint64            `json:"ok"`
	Errors map[string]uint64 `json:"err,omitempty"` // by code: "429", "timeout", "refused", "reset", …
	// Again is how often the server turned an attempt away that it had not looked at,
	// by code, and it was made again: no failures of requests, whose last attempt counts.
	Again map[string]uint64 `json:"again,omitempty"`
	Bytes uint64            `json:"bytes,omitempty"` // of bodies, as they came over the wire
	// Inflated is what compressed bodies held beyond their bytes on the wire,
	// once they were decoded.
	Inflated int64 `json:"inflated,omitempty"`
	// Hist is the latencies of the successes, from the intended time, in
	// microseconds: an HDR histogram, V2 compressed, base64.
	Hist string `json:"hist,omitempty"`
	// Waits is how long those failures had been waited for that took a second or more,
	// in the same form; not of those that were never sent, nor of what had not ended
	// when the load did.
	Waits string `json:"waits,omitempty"`
	// LagMax is the largest send lag, ns.
	LagMax int64 `json:"lag,omitempty"`
}

// Probe is a line of probes.jsonl: the outcome of one probe.
type Probe struct {
	Intended int64  `json:"i"` // ns since the origin
	Done     int64  `json:"d"` // ns since the origin
	Layer    string `json:"l"` // api, etcd
	Op       string `json:"o"` // read, write
	Shard    string `json:"sh,omitempty"`
	Target   string `json:"t"`           // component
	Err      string `json:"e,omitempty"` // empty: success
}

// Scrape is a line of scrapes.jsonl: selected samples of one component's
// /metrics, named as they are there, with their labels in order of name.
type Scrape struct {
	At        int64              `json:"at"`
	Component string             `json:"c"`
	Err       string             `json:"err,omitempty"`
	Samples   map[string]float64 `json:"m,omitempty"`
}

// StormComponent is the name under which storm's own process is recorded, and
// MachineComponent that of the whole machine that storm runs on, whose CPU time
// counts from its boot, of the processors that storm may use.
const (
	StormComponent   = "storm"
	MachineComponent = "machine"
)

// Process is a line of process.jsonl.
type Process struct {
	At        int64  `json:"at"`
	Component string `json:"c"` // a component, or StormComponent, or MachineComponent
	PID       int    `json:"pid"`
	UserNS    int64  `json:"user"` // CPU time since its start, ns
	SystemNS  int64  `json:"sys"`
	RSS       int64  `json:"rss"`             // bytes
	RunQueue  int64  `json:"runq,omitempty"`  // ns its threads waited for a processor, since start; of storm
	Written   int64  `json:"write,omitempty"` // bytes sent to the disk since its start
	Stolen    int64  `json:"steal,omitempty"` // ns that the hypervisor gave to others; of the machine
}

// Write is a line of journal.jsonl: one write of the witness.
type Write struct {
	Intended int64  `json:"i"`
	Done     int64  `json:"d"`
	Via      string `json:"via"` // etcd or api
	Shard    string `json:"sh"`
	Key      string `json:"k"`
	Revision int64  `json:"rev,omitempty"` // of the acknowledgement
	Err      string `json:"e,omitempty"`   // empty: acknowledged
	Refused  bool   `json:"no,omitempty"`  // certainly not applied
}

// Gate is a threshold as it was resolved from the scenario.
type Gate struct {
	Metric  string            `json:"metric"`          // see Metrics
	Where   map[string]string `json:"where,omitempty"` // verb, resource, scope, workload, phase, layer, op, act, component, shard, level, aggressor
	Stat    string            `json:"stat,omitempty"`  // p50 p90 p99 p99.9 max mean; empty for single values
	Max     *float64          `json:"max,omitempty"`   // in the metric's unit
	Min     *float64          `json:"min,omitempty"`
	Compare string            `json:"compare,omitempty"` // the base profile
	Margin  float64           `json:"margin,omitempty"`  // 0.25: a quarter worse does not matter: a ratio of 1.25, or 1/1.25 where more is better
	Profile string            `json:"profile,omitempty"` // only this profile is judged
	Tour    string            `json:"tour,omitempty"`    // judged on that tour's trial only
	Note    string            `json:"note,omitempty"`
}
