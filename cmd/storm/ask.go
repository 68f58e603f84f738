package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/scenarios"
)

// fetch gets every binary and image that the scenario's profiles and tours run, so that
// all of them can be asked before anything is started.
func fetch(ctx context.Context, s *scenarios.Scenario, store *components.Store, images imageFlags, sink clusters.Sink) error {
	return s.EachCluster(func(spec clusters.Spec) error {
		return providerOf(spec).obtain(ctx, upOptions{spec: spec, store: store, sink: sink, imageFlags: images})
	})
}

// askBinaries asks the components whether they take the flags, the feature gates
// and the environment that the scenario gives them. missing names those that are
// not there to be asked.
func askBinaries(ctx context.Context, s *scenarios.Scenario, store *components.Store) (missing []string, err error) {
	var failed error
	refused := s.Refused(func(spec clusters.Spec) []string {
		found, absent, err := providerOf(spec).unknown(ctx, store, spec)
		if err != nil && failed == nil {
			failed = err
		}
		for _, m := range absent {
			if !slices.Contains(missing, m) {
				missing = append(missing, m)
			}
		}
		return found
	})
	switch {
	case failed != nil:
		return missing, failed
	case refused != nil:
		return missing, problemsOf(s.Name, refused)
	}
	return missing, nil
}

// unchecked says that missing could not be asked.
func unchecked(missing []string) string {
	return "flags, feature gates and environment were not checked of " + strings.Join(missing, ", ")
}

// notAsked is what a run warns of where something could not be asked: the terminal
// and the report say it.
func notAsked(missing []string) (warnings []string) {
	if len(missing) > 0 {
		warnings = append(warnings, unchecked(missing)+": its start tells")
	}
	return warnings
}

// askWhatIsThere is askBinaries for verbs that get nothing: what could not be
// asked is said.
func (a *app) askWhatIsThere(ctx context.Context, name string, s *scenarios.Scenario) error {
	store, err := components.Open(components.Options{})
	if err != nil {
		return err
	}
	missing, err := askBinaries(ctx, s, store)
	if len(missing) > 0 {
		fmt.Fprintf(a.stderr, "note: %s: %s, which is not in the cache yet: `storm run` gets it, and checks them before it starts anything\n",
			plain(name), plain(unchecked(missing)))
	}
	return err
}
