package render_test

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/storm-harness/storm/internal/priority"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
	"github.com/storm-harness/storm/report/render"
)

// BenchmarkReport reads, analyses and renders two run directories, each of twelve
// trials with forty series: a million requests in windows of a second, trials of
// a minute; and an hour's run, trials of five minutes, a third of them in
// windows of a second and the rest in windows of ten, with every component's
// metrics and processes as often as a run has them.
func BenchmarkReport(b *testing.B) {
	defer priority.KeepSmall()() // as storm report does
	for _, c := range []struct {
		name    string
		seconds int64
		fine    int64 // of them in windows of a second
		each    int   // requests a series and second
	}{{"million", 60, 60, 35}, {"hour", 300, 100, 35}} {
		b.Run(c.name, func(b *testing.B) {
			path, requests := benchRun(b, c.seconds, c.fine, c.each)
			runtime.GC()
			peak := watchMemory(b)
			for b.Loop() {
				dir, err := rundir.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				r, err := report.Analyse(dir)
				if err != nil || r.Run.Valid != 12 {
					b.Fatal(r.Run, err)
				}
				if _, err := render.All(path, r); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(requests), "requests")
			b.ReportMetric(peak(), "MB-most")
		})
	}
}

// watchMemory samples what the runtime holds of the system's memory, and
// returns what gives the most of it.
func watchMemory(b *testing.B) func() float64 {
	b.Helper()
	stop, most := make(chan struct{}), make(chan float64)
	go func() {
		s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		peak := 0.0
		for {
			select {
			case <-tick.C:
				metrics.Read(s)
				peak = max(peak, float64(s[0].Value.Uint64()-s[1].Value.Uint64()))
			case <-stop:
				most <- peak / 1e6
				return
			}
		}
	}()
	return func() float64 { close(stop); return <-most }
}

func benchRun(b *testing.B, seconds, fine int64, each int) (path string, requests uint64) {
	b.Helper()
	run := rundir.Run{
		ID: "bench", Scenario: "bench", Outcome: "complete", Blocks: 6, Seed: 1, Started: time.Unix(0, 0).UTC(),
		Profiles: []rundir.Profile{{Name: "stock"}, {Name: "fast"}},
		Gates:    []rundir.Gate{{Metric: "api.latency", Stat: "p99", Compare: "stock", Margin: 0.25}},
	}
	for i := range 12 {
		run.Plan = append(run.Plan, rundir.Planned{ID: fmt.Sprintf("%03d", i), Block: i/2 + 1, Profile: run.Profiles[i%2].Name})
	}
	path = b.TempDir() + "/run"
	dir, err := rundir.Create(path, run)
	if err != nil {
		b.Fatal(err)
	}
	for i, p := range run.Plan {
		requests += benchTrial(b, dir, p, int64(i), seconds, fine, each)
	}
	if err := dir.Close(); err != nil {
		b.Fatal(err)
	}
	return path, requests
}

const second = int64(time.Second)

func benchTrial(b *testing.B, dir *rundir.Dir, p rundir.Planned, nth, seconds, fine int64, each int) (requests uint64) {
	b.Helper()
	td, err := dir.Trial(p.ID)
	if err != nil {
		b.Fatal(err)
	}
	td.AppendEvent(rundir.Event{Kind: rundir.EventOrigin})
	window := func(from, to int64) {
		for k := range 40 {
			h, n := rundir.NewHist(), each*int(to-from)
			for i := range n {
				if err := h.RecordValue(int64(500 + (i*7919+k*104729+int(from)*1299709+int(nth)*15485863)%90_000)); err != nil {
					b.Fatal(err)
				}
			}
			text, err := rundir.EncodeHist(h)
			if err != nil {
				b.Fatal(err)
			}
			requests += uint64(n)
			td.AppendWindow(rundir.Window{
				Key:  rundir.Key{Workload: fmt.Sprintf("w%d", k), Verb: []string{"get", "list", "update", "create"}[k%4], Resource: "pods", Scope: "namespace"},
				From: from * second, To: to * second, OK: uint64(n), Hist: text,
			})
		}
	}
	for s := int64(0); s < seconds; {
		length := int64(1)
		if s >= fine {
			length = 10
		}
		window(s, min(s+length, seconds))
		s += length
	}
	samples := map[string]float64{}
	for i := range 150 {
		samples[fmt.Sprintf(`apiserver_request_total{resource="r%d",verb="GET"}`, i)] = float64(i)
	}
	for s := range seconds {
		for i, c := range []string{"etcd-main-0", "etcd-main-1", "etcd-main-2", "kube-apiserver-0", "kube-controller-manager-0", "kube-scheduler-0", "storm"} {
			td.AppendProcess(rundir.Process{At: s * second, Component: c, PID: 100 + i, UserNS: s * 2e8, RSS: 40 << 20})
			samples["etcd_mvcc_db_total_size_in_bytes"] = float64(s << 12)
			if s%2 == 1 {
				continue // scrapes come every other second
			}
			td.AppendScrape(rundir.Scrape{At: s * second, Component: c, Samples: samples})
		}
	}
	if err := td.Finish(rundir.Trial{
		Duration: seconds * second, Outcome: "done", Phases: []rundir.Phase{{Name: "steady", To: seconds * second}},
		Journal: []rundir.Audit{{Via: "etcd", Acked: 1, Found: 1}},
	}); err != nil {
		b.Fatal(err)
	}
	return requests
}
