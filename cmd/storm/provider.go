package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/hand"
	"github.com/storm-harness/storm/clusters/kind"
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
	// needs is what each capability takes of a machine.
	needs map[clusters.Capability][]clusters.Need
	// obtain gets what a spec runs: binaries or images.
	obtain func(ctx context.Context, o upOptions) error
	// unknown asks what a spec runs which of its flags and feature gates it does
	// not take; missing names what is not there to be asked.
	unknown func(ctx context.Context, store *components.Store, spec clusters.Spec) (found, missing []string, err error)
	// up starts a cluster for a run.
	up func(ctx context.Context, o upOptions) (clusters.Cluster, error)
	// unmeasured says why a gate could not be decided there; nil where all can.
	unmeasured func(f providerFlags) func(rundir.Gate) string
	// upByHand starts one that stays until it is ended.
	upByHand func(ctx context.Context, name string, o upOptions) (hand.ByHand, error)
}

// imageFlags are what only providers with containers take.
type imageFlags struct {
	nodeImage string
	retain    bool
}

func (f *imageFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.nodeImage, "node-image", "", "`image` of the nodes of a kind cluster (default storm/node:VERSION if it is there, else kindest/node:VERSION)")
	cmd.Flags().BoolVar(&f.retain, "retain", false, "keep the containers of a kind cluster that does not come up, to look at them")
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
	imageFlags
}

// kind is what the kind provider takes of them.
func (o upOptions) kind() kind.Options {
	return kind.Options{
		Spec: o.spec, Dir: o.dir, LogDir: o.logs, Store: o.store, Ledger: o.ledger, Sink: o.sink, Exited: o.exited,
		NodeImage: o.nodeImage, Retain: o.retain,
	}
}

// providers are all there are, by the name that a spec has.
var providers = map[string]provider{
	"local": {
		check:        local.Check,
		capabilities: local.Capabilities,
		needs:        local.Needs,
		obtain: func(ctx context.Context, o upOptions) error {
			_, err := local.Obtain(ctx, o.store, o.spec, o.sink)
			return err
		},
		unknown: local.Unknown,
		up: func(ctx context.Context, o upOptions) (clusters.Cluster, error) {
			return local.Up(ctx, local.Options{Spec: o.spec, Dir: o.dir, LogDir: o.logs, Store: o.store, Ledger: o.ledger, Sink: o.sink, Exited: o.exited})
		},
		upByHand: func(ctx context.Context, name string, o upOptions) (hand.ByHand, error) {
			return local.UpByHand(ctx, name, o.spec, o.store, o.sink)
		},
	},
	clusters.Existing: existingProvider,
	clusters.KindCluster: {
		check:        kind.Check,
		capabilities: kind.Capabilities,
		needs:        kind.Needs,
		obtain: func(ctx context.Context, o upOptions) error {
			if err := kind.Obtain(ctx, o.kind()); err != nil {
				return err
			}
			return obtainToAsk(ctx, o)
		},
		unknown: local.Unknown,
		up:      func(ctx context.Context, o upOptions) (clusters.Cluster, error) { return kind.Up(ctx, o.kind()) },
		upByHand: func(ctx context.Context, name string, o upOptions) (hand.ByHand, error) {
			return kind.UpByHand(ctx, name, o.kind(), func(ctx context.Context) ([]string, error) {
				if err := obtainToAsk(ctx, o); err != nil {
					return nil, err
				}
				found, _, err := local.Unknown(ctx, o.store, o.spec)
				return found, err
			})
		},
	},
}

// obtainToAsk gets what a kind cluster's node image runs, where the spec has flags or
// feature gates of it: the image cannot be asked which it takes, a binary of the same
// version can. That one cannot be got does not keep the cluster from starting, whose
// start tells then.
func obtainToAsk(ctx context.Context, o upOptions) error {
	for _, r := range local.Asked(o.spec) {
		if _, err := o.store.Get(ctx, r, o.sink); err != nil {
			if ctx.Err() != nil {
				return err
			}
			o.sink(clusters.Event{Text: fmt.Sprintf("%s %s cannot be got, to be asked about its flags: %v", r.Name, r.Version, err)})
		}
	}
	return nil
}

// providerOf is the provider of a spec that was checked.
func providerOf(spec clusters.Spec) provider { return providers[spec.Defaulted().Provider] }

// checkCluster says what the provider that a spec names could not do of it.
func checkCluster(spec clusters.Spec) []string {
	name := spec.Defaulted().Provider
	p, ok := providers[name]
	if !ok {
		return []string{fmt.Sprintf("provider: %s is not built yet: use local or kind", name)}
	}
	return p.check(spec)
}
