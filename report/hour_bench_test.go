package report_test

import (
	"fmt"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
	"github.com/storm-harness/storm/report/render"
)

// BenchmarkHour is what `storm report` does with a run of an hour: twelve trials
// of five minutes with forty series, in windows of a second for the minute near
// the fault and of ten elsewhere, as the recorder makes them, and the servers'
// metrics every two seconds. It reports the most memory that the process had
// meanwhile.
func BenchmarkHour(b *testing.B) {
	w := newWorld()
	w.run.Blocks = 6
	dir, err := rundir.Create(b.TempDir()+"/run", w.run)
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range w.run.Plan {
		hourTrial(b, dir, p)
	}
	if err := dir.Close(); err != nil {
		b.Fatal(err)
	}
	opened, err := rundir.Open(dir.Path())
	if err != nil {
		b.Fatal(err)
	}
	out := b.TempDir()
	debug.FreeOSMemory() // what making the run took
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := report.Analyse(opened)
		if err != nil || r.Run.Valid != 12 {
			b.Fatal(r.Run.Valid, err)
		}
		if _, err := render.All(out, r); err != nil {
			b.Fatal(err)
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	if peak := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status); peak != nil {
		kb, _ := strconv.ParseFloat(string(peak[1]), 64) // digits, by the expression
		b.ReportMetric(kb/1024, "peak-MiB")
	}
}

func hourTrial(b *testing.B, dir *rundir.Dir, p rundir.Planned) {
	b.Helper()
	td, err := dir.Trial(p.ID)
	if err != nil {
		b.Fatal(err)
	}
	td.AppendEvent(rundir.Event{Kind: rundir.EventOrigin})
	const long = 300
	for s := range int64(long) {
		length := int64(10)
		if s >= 120 && s < 180 {
			length = 1
		}
		for k := range 40 {
			if s%length != 0 {
				break
			}
			td.AppendWindow(rundir.Window{
				Key:  rundir.Key{Workload: fmt.Sprintf("w%d", k), Verb: []string{"get", "list", "update", "create"}[k%4], Resource: "pods", Scope: "namespace"},
				From: s * second, To: (s + length) * second, OK: uint64(35 * length), Hist: latencies(b, int(35*length), 1+float64((int(s)+k)%50)/25),
			})
		}
		if s%2 != 0 {
			continue
		}
		for _, member := range []string{"etcd-main-0", "etcd-main-1", "etcd-main-2", "etcd-events-0"} {
			td.AppendScrape(rundir.Scrape{At: s * second, Component: member, Samples: manySamples("etcd_", 60, s)})
		}
		td.AppendScrape(rundir.Scrape{At: s * second, Component: "kube-apiserver-0", Samples: manySamples("apiserver_", 400, s)})
	}
	if err := td.Finish(rundir.Trial{
		Duration: long * second, Outcome: "done", Phases: []rundir.Phase{{Name: "steady", To: long * second}},
		Journal: []rundir.Audit{{Via: "etcd", Acked: 1, Found: 1}},
	}); err != nil {
		b.Fatal(err)
	}
}

func manySamples(prefix string, n int, s int64) map[string]float64 {
	out := map[string]float64{"etcd_mvcc_db_total_size_in_bytes": float64(2<<20 + s<<12)}
	for i := range n {
		out[fmt.Sprintf("%sflowcontrol_dispatched_requests_total{priority_level=\"level-%d\"}", prefix, i)] = float64(s * int64(i))
	}
	return out
}
