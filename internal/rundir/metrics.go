package rundir

// Metric is a word of the gates' vocabulary.
type Metric struct {
	Name  string
	Unit  string   // seconds, fraction, per second, count, bytes
	Stats []string // the statistics a gate may ask for; empty: it is one value a trial
	Where []string // the labels a gate may select by
	// Lower is true where less is better; it gives a comparison its direction.
	Lower bool
	About string
}

// Bounded says whether the metric is a statistic of histograms, which end at
// HistHighest: of what took longer only that is known.
func (m Metric) Bounded() bool { return m.Unit == "seconds" && len(m.Stats) > 0 }

var quantiles = []string{"p50", "p90", "p99", "p99.9", "max", "mean"}

// ViaWatch is the Via of a Key whose series are no requests but what a watch
// showed.
const ViaWatch = "watch"

// The workloads of a Key under which storm counts its own requests.
const (
	WorkloadProbe   = "probe"
	WorkloadWitness = "witness"
)

// VerbRenew is the verb of the series of the nodes' heartbeats, which is ViaWatch: each
// counts once, whatever requests it took.
const VerbRenew = "renew"

// Own says whether a workload is storm's own probes or its witness, and no load.
func Own(workload string) bool { return workload == WorkloadProbe || workload == WorkloadWitness }

// Metrics is the vocabulary: what a gate can be about. One line a metric.
func Metrics() []Metric {
	return []Metric{
		{"api.latency", "seconds", quantiles, []string{"workload", "verb", "resource", "scope", "detail", "phase"}, true, "latency of the load's requests to the apiserver, from the intended time; what timed out ranks behind all others"},
		{"api.errors", "fraction", nil, []string{"workload", "verb", "resource", "scope", "phase"}, true, "share of the load's requests that failed or were refused at the in-flight bound"},
		{"api.throughput", "per second", nil, []string{"workload", "verb", "resource", "scope", "phase"}, false, "the load's requests that succeeded, a second"},
		{"api.bytes", "per second", nil, []string{"workload", "verb", "resource", "scope", "detail", "phase"}, true, "bytes of the bodies that the load got from the apiserver, as they came over the wire, a second"},
		{"api.bytes.decoded", "per second", nil, []string{"workload", "verb", "resource", "scope", "detail", "phase"}, true, "the same bodies' bytes once they were decoded, a second"},
		{"etcd.latency", "seconds", quantiles, []string{"workload", "verb", "detail", "phase"}, true, "latency of the range, put and txn requests of a load on etcd itself, from the intended time; what timed out ranks behind all others"},
		{"etcd.errors", "fraction", nil, []string{"workload", "verb", "detail", "phase"}, true, "share of the requests of a load on etcd itself that failed or were refused at the in-flight bound"},
		{"etcd.throughput", "per second", nil, []string{"workload", "verb", "detail", "phase"}, false, "requests of a load on etcd itself that succeeded, a second"},
		{"pod.start", "seconds", quantiles, []string{"workload", "detail", "phase"}, true, "from a pod's creation until its containers run, observed by a watch; detail created-scheduled or scheduled-running for the parts"},
		{"stage.time", "seconds", []string{"max"}, []string{"workload", "detail"}, true, "how long a load of stages took until all pods of a stage ran, whatever the phase; detail is the stage, such as to 2000; one that was not reached ranks behind all others"},
		{"scheduler.throughput", "per second", nil, []string{"workload", "phase"}, false, "pods scheduled a second, observed by a watch; of a load of stages, over the time that those stages took which ended in the phase"},
		{"lease.onTime", "fraction", nil, []string{"workload", "phase"}, false, "share of the nodes' heartbeats that renewed their lease within a second of their time, however often each was tried; a failed one is late"},
		{"lease.renewal", "seconds", quantiles, []string{"workload", "phase"}, true, "from the time of a node's heartbeat until its lease was renewed, whatever requests that took; one that failed ranks behind all others"},
		{"informer.sync", "seconds", quantiles, []string{"workload", "resource", "detail", "phase"}, true, "from an informer's intended start until it has seen everything that was there"},
		{"watch.delivery", "seconds", quantiles, []string{"workload", "resource", "phase"}, true, "from the sending of a write until a watch shows it"},
		{"recovery.time", "seconds", nil, []string{"layer", "op", "act", "shard"}, true, "from the intended instant of a fault or operation to the first of N consecutive successful probes; the worst of what the labels leave open"},
		{"recovery.gap", "seconds", nil, []string{"layer", "op", "act", "shard"}, true, "the longest time between two successful probes after a fault: the gap that a client sees"},
		{"writes.lost", "count", nil, []string{"layer", "act", "shard"}, true, "writes of the witness that were acknowledged, are not found, and that no restore explains"},
		{"restore.lost", "count", nil, []string{"layer", "act", "shard"}, true, "acknowledged writes that a restore took back: the recovery point, in writes"},
		{"restore.mismatch", "count", nil, []string{"layer", "act", "shard"}, true, "writes that contradict the restore: gone though older than the snapshot, or there though newer"},
		{"operation.duration", "seconds", nil, []string{"act"}, true, "from an operation's intended instant until its effect was proven"},
		{"etcd.leader.changes", "count", nil, []string{"shard", "phase"}, true, "leader changes seen in the members' own status"},
		{"etcd.elections", "count", nil, []string{"shard", "component", "phase"}, true, "changes of leader that etcd members counted, all added up, by their own metrics: one election counts once in each member that sees it, and so does a leader that a member lost sight of and found again"},
		{"etcd.db.size", "bytes", nil, []string{"shard", "component", "phase"}, true, "the largest database file of an etcd member, by etcd's own metrics"},
		{"etcd.db.inUse", "bytes", nil, []string{"shard", "component", "phase"}, true, "the most bytes that an etcd member's database had in use, by etcd's own metrics"},
		{"etcd.requests", "count", nil, []string{"component", "phase"}, true, "requests that the API servers made to etcd, by their own metrics"},
		{"etcd.snapshots", "count", nil, []string{"shard", "component", "phase"}, true, "raft snapshots that etcd members saved, all added up, by their own metrics"},
		{"apf.rejected", "count", nil, []string{"level", "component", "phase"}, true, "requests that priority and fairness rejected, by the API server's own metrics"},
		{"apf.dispatched", "count", nil, []string{"level", "component", "phase"}, false, "requests that priority and fairness let through, by the API server's own metrics"},
		{"apf.wait", "seconds", nil, []string{"level", "component", "phase"}, true, "the mean time that requests waited in the queues of priority and fairness, by the API server's own metrics"},
		{"apf.queued", "count", nil, []string{"level", "component", "phase"}, true, "the most requests that waited in the queues of priority and fairness whenever the API server was asked, every 2 s"},
		{"apf.seats", "count", nil, []string{"level", "component", "phase"}, true, "the most seats that requests took whenever the API server was asked, every 2 s"},
		{"isolation", "fraction", nil, []string{"workload", "verb", "resource", "scope", "aggressor"}, false, "how well a load (workload) is kept from another (aggressor): its p99 latency in the phases in which the aggressor asks nothing, warm-up apart, over its p99 in those in which it does; 100% where it does not feel it"},
		{"server.requests", "count", nil, []string{"verb", "resource", "component", "phase"}, true, "requests that the API server counted, everybody's, by its own metrics"},
		{"server.watchLists", "count", nil, []string{"component", "phase"}, true, "streaming lists (WatchList) that the API server counted, by its own metrics"},
		{"process.memory", "bytes", nil, []string{"component", "phase"}, true, "largest resident memory of a component"},
		{"process.cpu", "seconds", nil, []string{"component", "phase"}, true, "processor time of a component"},
	}
}
