//go:build cluster || kind

package runner_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/storm-harness/storm/internal/rundir"
)

// What a scenario preloads is in the golden copy: every trial begins with it, and no
// API server that a trial meets has taken it in.
func TestPopulationIsInTheGoldenCopy(t *testing.T) {
	dir := playDir(t, "population.yaml")
	trials := outcomes(t, dir)
	for i, id := range slices.Sorted(maps.Keys(trials)) {
		trial := trials[id]
		t.Logf("%s: %s", id, trial.ResetHow)
		if filled := strings.Contains(trial.ResetHow, "filled with what the scenario preloads"); filled != (i == 0) {
			t.Errorf("%s: %s", id, trial.ResetHow)
		}
		records, err := dir.Records(id)
		if err != nil {
			t.Fatal(err)
		}
		there, written := 0.0, 0.0
		for s, err := range records.Scrapes() {
			if err != nil || s.Err != "" || s.Component != "kube-apiserver-0" {
				continue
			}
			posts := 0.0
			for name, value := range s.Samples {
				family, rest, _ := strings.Cut(name, "{")
				switch {
				case !strings.Contains(rest, `"configmaps"`):
				case family == "apiserver_storage_objects", family == "apiserver_resource_objects":
					there = max(there, value)
				case family == "apiserver_request_total" && strings.Contains(rest, `"POST"`):
					posts += value
				}
			}
			written = max(written, posts)
		}
		t.Logf("%s: %.0f configmaps are there, %.0f were written", id, there, written)
		if there < 400 || written >= 400 {
			t.Errorf("%s: %.0f configmaps are there, %.0f were written: want 400 that nobody wrote", id, there, written)
		}
		listed(t, id, records)
	}
	if len(trials) != 2 {
		t.Errorf("%d trials ended, want 2", len(trials))
	}
}

// listed holds a trial to having had its lists answered.
func listed(t *testing.T, id string, records rundir.Records) {
	t.Helper()
	answered := uint64(0)
	for w, err := range records.Windows() {
		if err != nil {
			t.Fatal(err)
		}
		if w.Workload == "lists" && w.Verb == "list" {
			answered += w.OK
		}
	}
	if answered == 0 {
		t.Errorf("%s: no list was answered", id)
	}
}
