package main

import (
	"context"
	"fmt"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/local"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/scenarios"
)

// provider is where clusters run, as the verbs use it.
type provider struct {
	// check says what it could not do of a spec, each "field: message".
	check func(clusters.Spec) []string
	// capabilities says what a cluster of a spec can do on this machine; the
	// value is why not, empty where it can.
	capabilities func(clusters.Spec) map[clusters.Capability]string
	// obtain gets what a spec runs: binaries or images.
	obtain func(ctx context.Context, store *components.Store, spec clusters.Spec, sink clusters.Sink) error
	// unknown asks what a spec runs which of its flags and feature gates it does
	// not take; missing names what is not there to be asked.
	unknown func(ctx context.Context, store *components.Store, spec clusters.Spec) (found, missing []string, err error)
	// up starts a cluster for a run.
	up func(ctx context.Context, o upOptions) (clusters.Cluster, error)
	// unmeasured says why a gate could not be decided there; nil where all can.
	unmeasured func(f providerFlags) func(rundir.Gate) string
}

// upOptions say what cluster to start for a run, and where.
type upOptions struct {
	spec   clusters.Spec
	dir    string // of the cluster's own; it must not exist
	logs   string // outlives the cluster
	store  *components.Store
	ledger *ledger.Ledger
	sink   clusters.Sink
	exited func(id clusters.ID, how string) // is told of every component that ended though nobody asked

	scenario *scenarios.Scenario
	flags    providerFlags
}

// providers are all there are, by the name that a spec has.
var providers = map[string]provider{
	"local": {
		check:        local.Check,
		capabilities: local.Capabilities,
		obtain: func(ctx context.Context, store *components.Store, spec clusters.Spec, sink clusters.Sink) error {
			_, err := local.Obtain(ctx, store, spec, sink)
			return err
		},
		unknown: local.Unknown,
		up: func(ctx context.Context, o upOptions) (clusters.Cluster, error) {
			return local.Up(ctx, local.Options{Spec: o.spec, Dir: o.dir, LogDir: o.logs, Store: o.store, Ledger: o.ledger, Sink: o.sink, Exited: o.exited})
		},
	},
	clusters.Existing: existingProvider,
}

// providerOf is the provider of a spec that was checked.
func providerOf(spec clusters.Spec) provider { return providers[spec.Defaulted().Provider] }

// checkCluster says what the provider that a spec names could not do of it.
func checkCluster(spec clusters.Spec) []string {
	name := spec.Defaulted().Provider
	p, ok := providers[name]
	if !ok {
		return []string{fmt.Sprintf("provider: %s is not built yet: use local", name)}
	}
	return p.check(spec)
}
