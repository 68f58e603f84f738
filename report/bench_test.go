package report_test

import (
	"fmt"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
)

// BenchmarkAnalyse analyses twelve trials of a minute in windows of a second,
// with forty series: a bit over a million requests in 29,000 windows.
func BenchmarkAnalyse(b *testing.B) {
	w := newWorld()
	w.rate = func(rundir.Planned, string) int { return 0 }
	path := w.write(b).Path()
	dir, err := rundir.Create(b.TempDir()+"/run", w.run)
	if err != nil {
		b.Fatal(err)
	}
	var requests uint64
	for _, p := range w.run.Plan {
		requests += benchTrial(b, dir, p)
	}
	if err := dir.Close(); err != nil {
		b.Fatal(err)
	}
	opened, err := rundir.Open(dir.Path())
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(requests), "requests")
	for b.Loop() {
		r, err := report.Analyse(opened)
		if err != nil || r.Run.Valid != 12 {
			b.Fatal(r.Run.Valid, err, path)
		}
	}
}

func benchTrial(b *testing.B, dir *rundir.Dir, p rundir.Planned) (requests uint64) {
	b.Helper()
	td, err := dir.Trial(p.ID)
	if err != nil {
		b.Fatal(err)
	}
	td.AppendEvent(rundir.Event{Kind: rundir.EventOrigin})
	for s := range int64(60) {
		for k := range 40 {
			h := rundir.NewHist()
			for i := range 35 {
				if err := h.RecordValue(int64(500 + (i*7919+k*104729+int(s)*1299709)%90_000)); err != nil {
					b.Fatal(err)
				}
			}
			text, err := rundir.EncodeHist(h)
			if err != nil {
				b.Fatal(err)
			}
			requests += 35
			td.AppendWindow(rundir.Window{
				Key:  rundir.Key{Workload: fmt.Sprintf("w%d", k), Verb: []string{"get", "list", "update", "create"}[k%4], Resource: "pods", Scope: "namespace"},
				From: s * second, To: (s + 1) * second, OK: 35, Hist: text,
			})
		}
	}
	if err := td.Finish(rundir.Trial{
		Duration: 60 * second, Outcome: "done", Phases: []rundir.Phase{{Name: "steady", To: 60 * second}},
		Journal: []rundir.Audit{{Via: "etcd", Acked: 1, Found: 1}},
	}); err != nil {
		b.Fatal(err)
	}
	return requests
}
