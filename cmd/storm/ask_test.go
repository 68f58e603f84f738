package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/scenarios/runner"
)

// What could not be checked before a run is no news of the terminal alone: who
// reads the report must know it too.
func TestWhatWasNotCheckedIsInTheReport(t *testing.T) {
	s, err := load("quickstart", scenarios.Changes{})
	if err != nil {
		t.Fatal(err)
	}
	const what = "flags, feature gates and environment were not checked of kube-apiserver v1.36, etcd v3.6: its start tells"
	noCluster, refused := errors.New("no cluster here"), errors.New("refused")
	for name, c := range map[string]struct {
		missing []string
		refusal error
		ended   error
		want    int // warnings that say it
	}{
		"all were asked":             {nil, nil, noCluster, 0},
		"two were not":               {[]string{"kube-apiserver v1.36", "etcd v3.6"}, nil, noCluster, 1},
		"two were not, and refused":  {[]string{"kube-apiserver v1.36", "etcd v3.6"}, refused, refused, 1},
		"all were asked and refused": {nil, refused, refused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			_, err := runner.Run(t.Context(), runner.Options{
				Scenario: s, Dir: dir, RunID: "r", Seed: 1,
				Before: func(context.Context, clusters.Sink) ([]string, error) { return notAsked(c.missing), c.refusal },
				Up: func(context.Context, clusters.Spec, string, clusters.Sink, func(clusters.ID, string)) (clusters.Cluster, error) {
					return nil, noCluster
				},
			})
			if !errors.Is(err, c.ended) {
				t.Fatalf("the run ended with %v, want %v", err, c.ended)
			}
			result, files, err := analyse(dir)
			if err != nil {
				t.Fatal(err)
			}
			said := slices.DeleteFunc(slices.Clone(result.Warnings), func(w string) bool { return w != what })
			if len(said) != c.want {
				t.Errorf("the warnings are %q, want %d of %q", result.Warnings, c.want, what)
			}
			page, err := os.ReadFile(files.Markdown)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(string(page), "were not checked of kube"); got != c.want {
				t.Errorf("report.md says it %d times, want %d", got, c.want)
			}
		})
	}
}
