package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/existing"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/scenarios/runner"
	"github.com/storm-harness/storm/workloads"
)

// existingProvider uses clusters that storm did not make. There is nothing to
// get, and nothing to ask for its flags.
var existingProvider = provider{
	check:        existing.Check,
	capabilities: existing.Capabilities,
	obtain: func(context.Context, upOptions) error {
		return nil
	},
	unknown: func(context.Context, *components.Store, clusters.Spec) (found, missing []string, err error) {
		return nil, nil, nil
	},
	up: func(ctx context.Context, o upOptions) (clusters.Cluster, error) {
		target, err := o.flags.target(o.scenario)
		if err != nil {
			return nil, err
		}
		return existing.Up(ctx, existing.Options{Target: target, Spec: o.spec, Ledger: o.ledger, Sink: o.sink})
	},
	unmeasured: func(f providerFlags) func(rundir.Gate) string {
		shards, _ := f.shards() // checked by now
		return existing.Target{Etcd: shards}.Unmeasured
	},
}

// target is the cluster that the flags name, with what the scenario wants of it.
func (f *providerFlags) target(s *scenarios.Scenario) (existing.Target, error) {
	shards, err := f.shards()
	if err != nil {
		return existing.Target{}, err
	}
	t := existing.Target{
		Kubeconfig: f.kubeconfig, Context: f.context, Etcd: shards,
		EtcdTLS: existing.Files{CA: f.etcdCA, Cert: f.etcdCert, Key: f.etcdKey}, Names: runner.Namespaces(),
	}
	err = s.EachTrial(func(trial scenarios.Trial) error {
		nodes := 0
		for _, w := range trial.Workloads {
			t.Names = append(t.Names, workloads.Names(w.Name)...)
			if n, ok := w.Load.(*workloads.Nodes); ok {
				nodes += n.Count
			}
		}
		t.Fleet = max(t.Fleet, nodes)
		return nil
	})
	slices.Sort(t.Names)
	t.Names = slices.Compact(t.Names)
	return t, err
}

// foresee says what a run would make in an existing cluster, and looks whether
// it could be used. It changes nothing there.
func (a *app) foresee(ctx context.Context, s *scenarios.Scenario, f providerFlags) error {
	t, err := s.Trial(s.Profiles[0].Name, "")
	if err != nil || t.Cluster.Provider != clusters.Existing {
		return err
	}
	target, err := f.target(s)
	if err != nil {
		return err
	}
	seen, err := existing.Look(ctx, target, "")
	if err != nil {
		return err
	}
	made, err := foreseen(s)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\nThe cluster of the context %s: %s.\n", plain(f.context), plain(seen.String()))
	fmt.Fprintf(a.stdout, "A run would make there, with the label storm.dev/run, and remove after each trial:\n")
	w := tabwriter.NewWriter(a.stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintf(w, "  OBJECTS\tWHERE, OR NAMED\tHOW MANY\n")
	for _, m := range made {
		fmt.Fprintf(w, "  %s\t%s\t%s\n", plain(m.Resource), plain(m.Where), plain(m.Many))
	}
	_ = w.Flush() // to where the rest goes
	for _, n := range seen.Notes {
		fmt.Fprintf(a.stdout, "Note: %s\n", plain(n))
	}
	if err := seen.Err(); err != nil {
		return &codedError{exitUsage, fmt.Errorf("a run would be refused: %w", err)}
	}
	fmt.Fprintln(a.stdout, "Nothing was made.")
	return nil
}

// foreseen lists what the trials of a scenario make, each once, in order: what
// storm makes for itself first.
func foreseen(s *scenarios.Scenario) ([]workloads.Made, error) {
	out := []workloads.Made{{Resource: "namespaces", Where: existing.Claim, Many: "1, for the whole run"}}
	err := s.EachTrial(func(t scenarios.Trial) error {
		add := func(list []workloads.Made) {
			for _, m := range list {
				if !slices.Contains(out, m) {
					out = append(out, m)
				}
			}
		}
		add(runner.Makes(t))
		for _, w := range t.Workloads {
			add(workloads.MadeBy(w.Name, w.Load))
		}
		return nil
	})
	slices.SortStableFunc(out, func(x, y workloads.Made) int { return strings.Compare(x.Resource, y.Resource) })
	return out, err
}
