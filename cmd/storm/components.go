package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
)

// The versions that a cluster takes where a scenario names none.
func defaultVersions() (kubernetes, etcd string) {
	spec := clusters.Spec{}.Defaulted()
	return spec.Kubernetes.Version, spec.Etcd.Version
}

func (a *app) componentsVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "components",
		Short: "Get and list the binaries that clusters are made of",
		Args:  onlyVerbs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.componentsGetVerb(), a.componentsListVerb())
	return cmd
}

func (a *app) componentsGetVerb() *cobra.Command {
	kubernetes, etcd := defaultVersions()
	var refresh bool
	cmd := &cobra.Command{
		Use:   "get",
		Short: "Get the binaries of a version into the cache",
		Long: `get obtains etcd (with etcdctl and etcdutl) and the Kubernetes servers: from the
cache, else the official release checked against its published checksum, else by
a build from the Go module proxy. v1.36 means the newest patch release at hand.`,
		Example: "  storm components get\n  storm components get --kubernetes v1.35 --etcd v3.5",
		Args:    takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := components.Open(components.Options{Refresh: refresh})
			if err != nil {
				return err
			}
			show := newDisplay(a.stderr)
			defer show.close()
			list, err := getAll(cmd.Context(), store, kubernetes, etcd, show.event)
			if err != nil {
				return err
			}
			show.close()
			return a.printBinaries(list)
		},
	}
	cmd.Flags().StringVar(&kubernetes, "kubernetes", kubernetes, "version of Kubernetes")
	cmd.Flags().StringVar(&etcd, "etcd", etcd, "version of etcd")
	cmd.Flags().BoolVar(&refresh, "refresh", false, "ask what the newest patch release is, even where the cache has one")
	a.outputFlag(cmd)
	return cmd
}

// getAll gets every component of the two versions.
func getAll(ctx context.Context, store *components.Store, kubernetes, etcd string, sink clusters.Sink) ([]components.Binary, error) {
	versions := map[string]string{components.Etcd: etcd, components.Etcdctl: etcd, components.Etcdutl: etcd}
	var list []components.Binary
	for _, name := range components.Names() {
		b, err := store.Get(ctx, components.Request{Name: name, Version: cmp.Or(versions[name], kubernetes)}, sink)
		if err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, nil
}

func (a *app) componentsListVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List what the cache holds",
		Example: "  storm components list -o json",
		Args:    takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			store, err := components.Open(components.Options{})
			if err != nil {
				return err
			}
			list, err := store.List()
			if err != nil {
				return err
			}
			return a.printBinaries(list)
		},
	}
	a.outputFlag(cmd)
	return cmd
}

func (a *app) printBinaries(list []components.Binary) error {
	if list == nil {
		list = []components.Binary{}
	}
	l := listing{head: []string{"COMPONENT", "VERSION", "GO", "SHA256", "ORIGIN"}, data: list}
	for _, b := range list {
		l.rows = append(l.rows, []string{b.Name, b.Version, b.GoVersion, b.SHA256[:min(12, len(b.SHA256))], b.Origin})
		l.names = append(l.names, b.Name+"@"+b.Version)
	}
	return a.print(l)
}
