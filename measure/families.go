package measure

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// family says what is kept of a family of metrics: an apiserver has tens of
// thousands of samples, of which a report needs some hundred.
type family struct {
	by      []string  // the labels that are kept; samples that differ in others only are added up
	buckets []float64 // of a histogram: the upper bounds that are kept, beside count and sum
}

// The upper bounds that are kept of a latency, in seconds. The official SLOs
// ask about 1 s and 30 s.
var latencies = []float64{0.05, 0.1, 0.5, 1, 5, 30}

// The upper bounds of disk and network times: powers of two, in seconds.
var diskTimes = []float64{0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024}

// families is all that is kept of the components' metrics.
var families = map[string]family{
	// kube-apiserver: requests
	"apiserver_request_total":                             {by: []string{"verb", "resource", "code"}},
	"apiserver_request_duration_seconds":                  {by: []string{"verb", "scope"}, buckets: latencies},
	"apiserver_request_sli_duration_seconds":              {by: []string{"verb", "scope"}, buckets: latencies},
	"apiserver_request_terminations_total":                {by: []string{"verb", "code"}},
	"apiserver_current_inflight_requests":                 {by: []string{"request_kind"}},
	"apiserver_longrunning_requests":                      {by: []string{"verb", "resource"}},
	"apiserver_watch_list_duration_seconds":               {buckets: latencies},
	"apiserver_watch_events_total":                        {by: []string{"resource", "kind"}},
	"apiserver_init_events_total":                         {by: []string{"resource"}},
	"apiserver_watch_cache_read_wait_seconds":             {buckets: latencies},
	"apiserver_watch_cache_initializations_total":         {},
	"apiserver_watch_cache_consistent_read_total":         {by: []string{"success", "fallback"}},
	"apiserver_storage_consistency_checks_total":          {by: []string{"status"}},
	"apiserver_storage_objects":                           {by: []string{"resource"}},
	"apiserver_resource_objects":                          {by: []string{"resource"}},
	"apiserver_storage_size_bytes":                        {by: []string{"storage_cluster_id"}},
	"etcd_request_duration_seconds":                       {by: []string{"operation"}, buckets: latencies},
	"etcd_request_errors_total":                           {by: []string{"operation"}},
	"apiserver_flowcontrol_rejected_requests_total":       {by: []string{"priority_level", "reason"}},
	"apiserver_flowcontrol_dispatched_requests_total":     {by: []string{"priority_level"}},
	"apiserver_flowcontrol_request_wait_duration_seconds": {by: []string{"priority_level"}, buckets: latencies},
	"apiserver_flowcontrol_current_inqueue_requests":      {by: []string{"priority_level"}},
	"apiserver_flowcontrol_current_executing_seats":       {by: []string{"priority_level"}},
	"apiserver_flowcontrol_current_limit_seats":           {by: []string{"priority_level"}},

	// etcd
	"etcd_server_has_leader":                       {},
	"etcd_server_is_leader":                        {},
	"etcd_server_leader_changes_seen_total":        {},
	"etcd_server_proposals_committed_total":        {},
	"etcd_server_proposals_applied_total":          {},
	"etcd_server_proposals_pending":                {},
	"etcd_server_proposals_failed_total":           {},
	"etcd_server_slow_apply_total":                 {},
	"etcd_server_quota_backend_bytes":              {},
	"etcd_server_snapshot_apply_in_progress_total": {},
	"etcd_snap_fsync_duration_seconds":             {},
	"etcd_disk_wal_fsync_duration_seconds":         {buckets: diskTimes},
	"etcd_disk_backend_commit_duration_seconds":    {buckets: diskTimes},
	"etcd_disk_defrag_inflight":                    {},
	"etcd_mvcc_db_total_size_in_bytes":             {},
	"etcd_mvcc_db_total_size_in_use_in_bytes":      {},
	"etcd_debugging_mvcc_current_revision":         {},
	"etcd_debugging_mvcc_compact_revision":         {},
	"etcd_debugging_mvcc_keys_total":               {},
	"etcd_network_peer_round_trip_time_seconds":    {by: []string{"To"}, buckets: diskTimes},
	"etcd_network_peer_sent_failures_total":        {by: []string{"To"}},
	"etcd_network_active_peers":                    {},
	"etcd_debugging_store_watchers":                {},
	"etcd_debugging_mvcc_watcher_total":            {},
	"etcd_debugging_mvcc_slow_watcher_total":       {},

	// kube-scheduler and kube-controller-manager
	"scheduler_schedule_attempts_total":             {by: []string{"result"}},
	"scheduler_scheduling_attempt_duration_seconds": {by: []string{"result"}, buckets: latencies},
	"scheduler_pending_pods":                        {by: []string{"queue"}},
	"leader_election_master_status":                 {by: []string{"name"}},
	"workqueue_depth":                               {by: []string{"name"}},
	"workqueue_adds_total":                          {by: []string{"name"}},

	// every component
	"process_resident_memory_bytes": {},
	"process_cpu_seconds_total":     {},
	"go_goroutines":                 {},
	"go_memstats_heap_inuse_bytes":  {},
}

// reduce adds what is kept of a family to samples, named as in the text
// format, labels in order of name. Values that JSON cannot say are left out.
func reduce(f *dto.MetricFamily, keep family, samples map[string]float64) {
	name := f.GetName()
	add := func(suffix string, labels []string, v float64) {
		key := name + suffix
		if len(labels) > 0 {
			key += "{" + strings.Join(labels, ",") + "}"
		}
		if sum := samples[key] + v; !math.IsNaN(sum) && !math.IsInf(sum, 0) {
			samples[key] = sum
		}
	}
	for _, m := range f.Metric {
		labels := keptLabels(m, keep.by)
		switch {
		case m.Counter != nil:
			add("", labels, m.Counter.GetValue())
		case m.Gauge != nil:
			add("", labels, m.Gauge.GetValue())
		case m.Untyped != nil:
			add("", labels, m.Untyped.GetValue())
		case m.Histogram != nil:
			add("_count", labels, float64(m.Histogram.GetSampleCount()))
			add("_sum", labels, m.Histogram.GetSampleSum())
			for _, b := range m.Histogram.Bucket {
				if slices.Contains(keep.buckets, b.GetUpperBound()) {
					le := `le="` + strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64) + `"`
					add("_bucket", sorted(append(slices.Clone(labels), le)), float64(b.GetCumulativeCount()))
				}
			}
		}
	}
}

// keptLabels returns the labels of by that m has, as name="value", in order.
func keptLabels(m *dto.Metric, by []string) []string {
	var out []string
	for _, l := range m.Label {
		if slices.Contains(by, l.GetName()) {
			out = append(out, l.GetName()+"="+strconv.Quote(l.GetValue()))
		}
	}
	return sorted(out)
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}

// Families lists the families of metrics that are scraped, in order of name.
func Families() []string { return slices.Sorted(maps.Keys(families)) }
