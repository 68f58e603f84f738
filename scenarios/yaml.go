package scenarios

import (
	"fmt"
	"regexp"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/strict"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/workloads"
)

// These types are the YAML of a scenario, field by field; their tags are also
// its JSON Schema and the tables of docs/scenarios.md.

type document struct {
	APIVersion string   `yaml:"apiVersion" required:"true" enum:"storm/v1alpha1" doc:"the version of this format"`
	Kind       string   `yaml:"kind" required:"true" enum:"Scenario" doc:"what the file is"`
	Metadata   metadata `yaml:"metadata" required:"true" doc:"the scenario's name"`
	Spec       body     `yaml:"spec" required:"true" doc:"the scenario"`
}

type metadata struct {
	Name Name `yaml:"name" required:"true" doc:"the scenario's name"`
}

type body struct {
	Description string        `yaml:"description" doc:"what the scenario asks, for a reader who has not seen it"`
	Cluster     clusters.Spec `yaml:"cluster" doc:"the cluster that every trial starts with"`
	Profiles    []profile     `yaml:"profiles" doc:"the sets of values under comparison; without any, the scenario as it stands is the only one"`
	Blocks      int           `yaml:"blocks" min:"1" max:"1000" default:"1" doc:"how often every profile is run; each block runs every profile once, in random order; a comparison needs at least 6, for a smaller alpha more"`
	WarmupBlock *bool         `yaml:"warmupBlock" doc:"whether a block goes before the others whose trials are kept and never judged, so that the first that count do not meet a colder machine than the rest; by default where a gate compares profiles"`
	Alpha       unit.Percent  `yaml:"alpha" default:"5%" min:"0.1%" max:"20%" doc:"the chance of a false claim that the gates which compare may have together; intervals have the confidence that it leaves, 95% by default"`
	Seed        *int64        `yaml:"seed" min:"0" doc:"of everything random; drawn and printed where it is absent"`
	Measure     Measure       `yaml:"measure" doc:"how it is observed"`
	Workloads   []workload    `yaml:"workloads" doc:"the loads, all on from the first step to the last"`
	Timeline    []step        `yaml:"timeline" required:"true" doc:"the steps of a trial, one after the other"`
	Tours       []tour        `yaml:"tours" doc:"further trials, each run once after the blocks and judged by absolute gates only"`
	Gates       []gate        `yaml:"gates" doc:"the thresholds that decide the verdict"`
}

type profile struct {
	Name        Name                    `yaml:"name" key:"true" required:"true" doc:"the profile's name"`
	Description string                  `yaml:"description" doc:"what it is about"`
	Patch       strict.Patch[patchable] `yaml:"patch" doc:"what differs from the scenario as it stands; nothing where it is absent"`
}

// patchable is what a profile may change.
type patchable struct {
	Cluster   clusters.Spec `yaml:"cluster" doc:"the cluster, in part"`
	Workloads []workload    `yaml:"workloads" doc:"the loads, in part, by name"`
}

type workload struct {
	Name Name                             `yaml:"name" key:"true" required:"true" doc:"the load's name, in paths and in the report"`
	Load strict.OneOf[workloads.Workload] `kinds:"workload"`
}

type step struct {
	Warmup    *unit.Duration `yaml:"warmup" oneof:"step" min:"1ms" doc:"time under load that no gate looks at unless it asks for it; first of all"`
	Steady    *unit.Duration `yaml:"steady" oneof:"step" min:"1ms" doc:"time under load without a fault"`
	Fault     *fault         `yaml:"fault" oneof:"step" doc:"something broken on purpose"`
	Operation *operation     `yaml:"operation" oneof:"step" doc:"something an operator does"`
	Recovery  *recovery      `yaml:"recovery" oneof:"step" doc:"until everything that the acts before it disturbed serves again"`
	Cooldown  *unit.Duration `yaml:"cooldown" oneof:"step" min:"1ms" doc:"time under load after it all; last of all"`
}

type fault struct {
	Name Name                   `yaml:"name" doc:"the fault's name in gates and in the report; its kind by default"`
	For  *unit.Duration         `yaml:"for" doc:"how long its effect is held; needed unless the timeline heals it, or there is nothing to hold, as with kubeletRestart"`
	Heal string                 `yaml:"heal" enum:"auto,timeline" default:"auto" doc:"who repairs it: storm after that time, or a later operation of the timeline"`
	Act  strict.OneOf[acts.Act] `kinds:"fault"`
}

type operation struct {
	Name Name                   `yaml:"name" doc:"the operation's name in gates and in the report; its kind by default"`
	Act  strict.OneOf[acts.Act] `kinds:"operation"`
}

type recovery struct {
	AtMost unit.Duration `yaml:"atMost" required:"true" min:"1ms" doc:"how long to wait for it; what has not recovered by then is reported as longer than this"`
}

type tour struct {
	Name        Name                    `yaml:"name" key:"true" required:"true" doc:"the tour's name"`
	Description string                  `yaml:"description" doc:"what it is about"`
	Profile     Name                    `yaml:"profile" doc:"the profile it runs under; the first by default"`
	Patch       strict.Patch[patchable] `yaml:"patch" doc:"what differs in this tour, on top of its profile"`
	Timeline    []step                  `yaml:"timeline" required:"true" doc:"its steps"`
	Gates       []gate                  `yaml:"gates" doc:"its thresholds"`
}

type gate struct {
	Metric    MetricName    `yaml:"metric" required:"true" doc:"what is judged"`
	Verb      string        `yaml:"verb" enum:"mutating,read,get,list,watch,create,update,patch,delete,deletecollection,range,put,txn" doc:"only requests of this verb; mutating and read are groups of them; range, put and txn are etcd's own"`
	Resource  string        `yaml:"resource" doc:"only requests to this resource: pods, nodes/status, leases.coordination.k8s.io"`
	Scope     string        `yaml:"scope" enum:"resource,namespace,cluster" doc:"only requests of this scope: one object, one namespace, all"`
	Workload  Name          `yaml:"workload" doc:"only requests of this load"`
	Detail    string        `yaml:"detail" doc:"only requests of this manner: unpaginated, paginated, rv0, unpaginated-exact …"`
	Phase     string        `yaml:"phase" enum:"warmup,steady,fault,operation,recovery,cooldown" doc:"only what happened in this phase"`
	Layer     string        `yaml:"layer" enum:"api,etcd" doc:"seen through the apiserver, or at etcd itself"`
	Op        string        `yaml:"op" enum:"read,write" doc:"only reading or only writing"`
	Act       string        `yaml:"act" doc:"only after the fault or operation of this name"`
	Component string        `yaml:"component" doc:"only this component, or components of this kind: kube-apiserver, etcd-main-0, storm"`
	Shard     string        `yaml:"shard" doc:"only this shard"`
	Level     string        `yaml:"level" doc:"only this priority level"`
	Aggressor Name          `yaml:"aggressor" doc:"of isolation: the load that the other is to be kept from"`
	Profile   Name          `yaml:"profile" doc:"only this profile is held to it; every one by default"`
	P50       *Amount       `yaml:"p50" doc:"the median is at most this"`
	P90       *Amount       `yaml:"p90" doc:"the 90th percentile is at most this"`
	P99       *Amount       `yaml:"p99" doc:"the 99th percentile is at most this"`
	P999      *Amount       `yaml:"p99.9" doc:"the 99.9th percentile is at most this"`
	Mean      *Amount       `yaml:"mean" doc:"the mean is at most this"`
	Max       *Amount       `yaml:"max" doc:"the value, or the largest of many, is at most this"`
	Min       *Amount       `yaml:"min" doc:"the value is at least this"`
	Compare   Name          `yaml:"compare" doc:"instead of a bound: every other profile is compared with this one"`
	Stat      string        `yaml:"stat" enum:"p50,p90,p99,p99.9,mean,max" doc:"which statistic is compared"`
	Margin    *unit.Percent `yaml:"margin" doc:"how much worse does not matter: with 25%, a ratio of 1.25 where less is better, of 1/1.25 where more is; how much better has no bound"`
	Note      string        `yaml:"note" doc:"a remark for the report"`
}

// Measure says how a scenario is observed.
type Measure struct {
	Probes  Probes  `yaml:"probes" doc:"reads and writes of storm's own, which tell when something is down"`
	Witness Witness `yaml:"witness" doc:"writes of storm's own, read back afterwards, which tell whether an acknowledged write was lost"`
	Load    Floor   `yaml:"load" doc:"what the load must reach for a trial to be valid"`
}

// Probes is how often and how patiently storm probes.
type Probes struct {
	Interval    unit.Duration `yaml:"interval" min:"1ms" max:"10s" doc:"between two probes of one endpoint; 50ms by default, and 1s in a scenario without faults and operations"`
	NearFault   unit.Duration `yaml:"nearFault" default:"10ms" min:"1ms" max:"10s" doc:"between two probes of one etcd member, from just before a fault until the member has recovered"`
	Deadline    unit.Duration `yaml:"deadline" default:"1s" min:"1ms" max:"1m" doc:"a probe without an answer by then has failed"`
	Consecutive int           `yaml:"consecutive" default:"5" min:"1" max:"1000" doc:"so many successes in a row are a recovery, counted from the first of them"`
}

// Witness is how often storm writes what it reads back later.
type Witness struct {
	Rate unit.Rate `yaml:"rate" min:"1/m" max:"1000/s" doc:"writes a second to each shard and through the apiserver; 20/s by default, and 1/s in a scenario without faults and operations"`
}

// Floor is what the load must reach before a fault for a trial to be valid.
type Floor struct {
	AtLeast unit.Percent `yaml:"atLeast" default:"90%" max:"100%" doc:"the share of the requests that ended in the steady phases that must have succeeded: in those before the first fault or operation, or in all where none is before it"`
}

// Name is a DNS label, since names become parts of file and object names.
type Name string

var nameText = regexp.MustCompile(Name("").Pattern())

// Pattern is the regular expression of a name.
func (Name) Pattern() string { return `^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$` }

// Example is a valid name, for messages.
func (Name) Example() string { return "fast-election" }

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *Name) UnmarshalText(text []byte) error {
	if !nameText.Match(text) {
		return fmt.Errorf("%.80q is not a name: write up to 63 small letters, digits and dashes, such as %s", text, n.Example())
	}
	*n = Name(text)
	return nil
}

// MetricName is a word of the gates' vocabulary.
type MetricName string

// Words lists the vocabulary.
func (MetricName) Words() []string {
	var words []string
	for _, m := range rundir.Metrics() {
		words = append(words, m.Name)
	}
	return words
}

// Amount is a gate's threshold, in the unit of its metric.
type Amount string

// Pattern is the regular expression of an amount.
func (Amount) Pattern() string { return `^[0-9]` }

// Example is a valid amount, for messages.
func (Amount) Example() string { return "1s, 64MiB, 1%, 50/s or 0, as the metric has it" }

// Loose says that a bare number is an amount too.
func (Amount) Loose() bool { return true }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Amount) UnmarshalText(text []byte) error { *a = Amount(text); return nil }
