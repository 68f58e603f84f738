package report_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// scraped writes what the servers say in a trial of the world, which is as long
// as its other files say: warm-up until 1 s, and then counted until 10 s.
func scraped(td *rundir.TrialDir) {
	for s := range int64(10) {
		n := float64(s)
		for m := range 3 {
			samples := map[string]float64{
				"etcd_mvcc_db_total_size_in_bytes":              (2 + n/10 + float64(m)) * (1 << 20),
				"etcd_mvcc_db_total_size_in_use_in_bytes":       1 << 20,
				"etcd_server_proposals_committed_total":         1000 + 50*n,
				"etcd_disk_wal_fsync_duration_seconds_sum":      n * 0.002 * float64(m+1),
				"etcd_disk_wal_fsync_duration_seconds_count":    n,
				"etcd_disk_backend_commit_duration_seconds_sum": n * 0.003, "etcd_disk_backend_commit_duration_seconds_count": n,
				"etcd_server_slow_apply_total": n,
			}
			if m == 0 && s >= 5 { // the leader was killed, and began anew
				samples["etcd_server_slow_apply_total"] = n - 5
			}
			td.AppendScrape(rundir.Scrape{At: s * second, Component: fmt.Sprintf("etcd-main-%d", m), Samples: samples})
		}
		flow := "apiserver_flowcontrol_"
		td.AppendScrape(rundir.Scrape{At: s * second, Component: "kube-apiserver-0", Samples: map[string]float64{
			flow + `dispatched_requests_total{priority_level="workload-low"}`:                      100 * n,
			flow + `dispatched_requests_total{priority_level="idle"}`:                              7,
			flow + `rejected_requests_total{priority_level="workload-low",reason="queue-full"}`:    2 * n,
			flow + `request_wait_duration_seconds_sum{priority_level="workload-low"}`:              0.01 * 100 * n,
			flow + `request_wait_duration_seconds_count{priority_level="workload-low"}`:            100 * n,
			flow + `request_wait_duration_seconds_bucket{le="0.05",priority_level="workload-low"}`: 50 * n,
			flow + `request_wait_duration_seconds_bucket{le="0.5",priority_level="workload-low"}`:  99.5 * n,
			flow + `current_executing_seats{priority_level="workload-low"}`:                        10 - math.Abs(n-6),
			flow + `current_limit_seats{priority_level="workload-low"}`:                            245,
			flow + `current_inqueue_requests{priority_level="a\"},reason=\"x"}`:                    3,
			flow + `dispatched_requests_total{priority_level="a\"},reason=\"x"}`:                   n,
		}})
	}
}

// TestServers: shards and priority levels are what the servers said in the
// measured phases, counters that begin anew included.
func TestServers(t *testing.T) {
	w := newWorld()
	w.scrape = func(td *rundir.TrialDir, _ rundir.Planned) { scraped(td) }
	for _, p := range w.run.Profiles {
		w.run.Topology = append(w.run.Topology, rundir.Topology{Profile: p.Name, Shards: []rundir.ShardSummary{{Name: "main", Members: 3}}})
	}
	r, err := report.Analyse(w.write(t))
	if err != nil {
		t.Fatal(err)
	}
	var main *report.ShardLoad
	for i := range r.Shards {
		if r.Shards[i].Shard == "main" && r.Shards[i].Profile == "fast" {
			main = &r.Shards[i]
		}
	}
	if main == nil {
		t.Fatalf("no shard main of profile fast in %+v", r.Shards)
	}
	near := func(what string, got report.Number, want float64) {
		t.Helper()
		if math.Abs(got.Float()-want) > 1e-6*want {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	// Counted are the scrapes at 1 to 9 s, over the 9 s from the warm-up's end on.
	near("committed a second", main.Committed, 50*8/9.)
	near("leader changes", main.Leaders, 1)
	near("database", main.Size, 4.9*(1<<20))
	near("fsync", main.Fsync, 0.006)
	near("commit", main.Commit, 0.003)
	near("slow applies", main.Slow, 9+9+8)
	if main.Members != 3 || main.Trials != 6 {
		t.Errorf("%d members in %d trials, want 3 in 6", main.Members, main.Trials)
	}
	if len(r.Levels) != 4 {
		t.Fatalf("levels are %+v, want two of each profile: the idle one says nothing", r.Levels)
	}
	l := r.Levels[0]
	near("dispatched a second", l.Dispatched, 100)
	near("rejected", l.Rejected, 18)
	near("mean wait", l.Wait, 0.01)
	near("99 % waited", l.WaitP99, 0.5)
	near("seats", l.Seats, 10)
	near("limit", l.Limit, 245)
	if l.Level != "workload-low" || len(l.Reasons) != 1 || l.Reasons[0] != (report.Count{Name: "queue-full", N: 6 * 18}) {
		t.Errorf("level %s was rejected because of %v", l.Level, l.Reasons)
	}
	if got := r.Levels[1].Level; got != `a"},reason="x` {
		t.Errorf("a level that looks like labels is %q", got)
	}
}

// TestHeatMaps: every request of a valid trial's load is in its group's map, in
// the column of its time.
func TestHeatMaps(t *testing.T) {
	r, err := report.Analyse(newWorld().write(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Heat) != 4 {
		t.Fatalf("%d heat maps, want one for each of two profiles and groups", len(r.Heat))
	}
	for _, m := range r.Heat {
		var all uint64
		for _, rows := range m.Counts {
			if len(rows) != len(m.Edges)-1 {
				t.Fatalf("%d rows between %d edges", len(rows), len(m.Edges))
			}
			for _, n := range rows {
				all += n
			}
		}
		var want uint64
		for _, c := range r.Latency {
			mutating := c.Verb == "create"
			if c.Profile == m.Profile && c.Workload != "probe" && mutating == (m.Group == "mutating") {
				want += c.Requests
			}
		}
		if all != want || want == 0 || m.From != -5 || m.Step != 1 || len(m.Counts) < 10 {
			t.Errorf("%s, %s: %d requests in %d columns of %v s from %v s on, want %d in 10 of 1 s from -5 s on", m.Profile, m.Group, all, len(m.Counts), m.Step, m.From, want)
		}
	}
}

// TestAtNoCost: what was bought without a cost is said only where a gate shows
// it.
func TestAtNoCost(t *testing.T) {
	latency := func(margin float64) rundir.Gate {
		return rundir.Gate{Metric: "api.latency", Stat: "p99", Where: map[string]string{"verb": "mutating", "phase": "steady"}, Compare: "stock", Margin: margin}
	}
	for _, c := range []struct {
		name, want string
		gates      []rundir.Gate
	}{
		{"no gate on latency", "", nil},
		{"one", ", at no cost in p99 latency of mutating requests in the steady phase beyond the margin of 25 %.", []rundir.Gate{latency(0.25)}},
		{"two", ", at no cost in p99 latency (2 gates) beyond their margins of 50 % at most.", []rundir.Gate{latency(0.25), latency(0.5)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.run.Gates = append(w.run.Gates, c.gates...)
			r, err := report.Analyse(w.write(t))
			if err != nil {
				t.Fatal(err)
			}
			want := "Better: fast recovers 2× faster than stock (96.9 % interval 1.95–2.05×; 6 blocks)"
			if c.want == "" {
				c.want = "."
			}
			if r.Verdict != report.Improved || r.Headline[0] != want+c.want {
				t.Errorf("%s: %q, want %q", r.Verdict, r.Headline[0], want+c.want)
			}
		})
	}
}
