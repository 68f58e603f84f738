//go:build long

package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/storm-harness/storm/report"
	"github.com/storm-harness/storm/scenarios"
)

// What takes hours, and an otherwise idle machine: `make test-long`. What the
// last run printed is kept in docs/long.md.

// TestLongPlantedSlowdown has profile b ask a validating webhook that answers
// after 20 ms, and nothing else: storm finds it, and says by how much.
func TestLongPlantedSlowdown(t *testing.T) {
	s := newStage(t)
	p := plantSlowdown(t, "127.0.0.1")
	file := s.file(t, "planted.yaml", shortTrials("planted", 8, "5%", []string{"{name: a}", "{name: b, patch: " + p.patch + "}"}, plantedGates))
	p.found(t, s.wholly(t, file, filepath.Join(s.dir, "planted"), "--seed", "1"))
}

// TestLongFalseAlarms compares a cluster with itself, twenty times over, and
// publishes how often it was found to differ. That is a figure, not a bound; only
// that there was something to count is required.
func TestLongFalseAlarms(t *testing.T) {
	const runs = 20
	s := newStage(t)
	file := s.file(t, "same.yaml", shortTrials("same", 7, "5%", []string{"{name: a}", "{name: b}"}, []string{
		"{metric: api.latency, workload: churn, verb: mutating, phase: steady, compare: a, stat: p50, margin: 25%}",
		"{metric: api.latency, workload: churn, verb: mutating, phase: steady, compare: a, stat: p99, margin: 25%}",
		"{metric: process.cpu, component: kube-apiserver, phase: steady, compare: a, margin: 25%}",
		"{metric: process.memory, component: etcd, phase: steady, compare: a, margin: 25%}",
	}))
	verdicts := make([]map[report.Verdict]int, 4)
	var titles [4]string
	beyond := [4]int{} // intervals that leave out the ratio 1
	judged := 0
	for i := range runs {
		r := s.wholly(t, file, filepath.Join(s.dir, fmt.Sprintf("same-%d", i)), "--seed", fmt.Sprint(i+1))
		for k, g := range r.Gates {
			if verdicts[k] == nil {
				verdicts[k] = map[report.Verdict]int{}
			}
			titles[k] = g.Title
			verdicts[k][g.Verdict]++
			if c := g.Results[0].Comparison; g.Verdict != report.Invalid && c != nil {
				judged++
				if float64(c.Low) > 1 || float64(c.High) < 1 {
					beyond[k]++
				}
			}
		}
		t.Logf("run %d: %s, %d of %d trials valid", i+1, r.Verdict, r.Run.Valid, r.Run.Planned)
	}
	t.Log("| comparison of a cluster with itself | pass | improved | inconclusive | regressed | invalid | interval without 1 |")
	t.Log("|---|---|---|---|---|---|---|")
	for k, v := range verdicts {
		t.Logf("| %s | %d | %d | %d | %d | %d | %d |", titles[k], v[report.Pass], v[report.Improved], v[report.Inconclusive], v[report.Regressed], v[report.Invalid], beyond[k])
	}
	if judged < runs*4/2 {
		t.Errorf("only %d of %d comparisons could be judged: an idle machine is needed", judged, runs*4)
	}
}

// TestLongCatalogue runs every scenario of the catalogue as it stands. A gate
// that fails is a finding about this machine; a run that nothing can be concluded
// from is not.
func TestLongCatalogue(t *testing.T) {
	names, err := scenarios.Catalogue()
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			r := s.wholly(t, name, filepath.Join(s.dir, name))
			t.Logf("| %s | %.0f min | %s | %d of %d | %s |", name, time.Since(begun).Minutes(), r.Verdict, r.Run.Valid, r.Run.Planned, strings.Join(r.Headline, " "))
			if r.Verdict == report.Invalid {
				t.Errorf("nothing can be concluded: %s", strings.Join(r.Headline, " "))
			}
		})
	}
}
