package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters/hand"
)

func (a *app) clusterDownVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "down [NAME]",
		Short: "End a cluster that was started by hand, and remove all of it",
		Long: `down ends every process and container of the cluster and removes its network
and its directory: the data, the certificates and the logs, which
` + "`storm cluster logs`" + ` exports before. The name can be left out where there is
only one cluster.`,
		Example:           "  storm cluster down\n  storm cluster down mine",
		Args:              takes(0, 1, "the name of one cluster"),
		ValidArgsFunction: handNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := whichCluster(cmd.Context(), args, "down")
			if err != nil {
				return err
			}
			if err := hand.Down(cmd.Context(), name); err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "Cluster %s is down, and nothing of it is left.\n", name)
			return nil
		},
	}
}

// whichCluster is the one that was named, or else the only one.
func whichCluster(ctx context.Context, args []string, verb string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	found, err := hand.List(ctx)
	if err != nil {
		return "", err
	}
	switch len(found) {
	case 0:
		return "", usage("there is no cluster: `storm cluster up` starts one")
	case 1:
		return found[0].Name, nil
	}
	var names []string
	for _, f := range found {
		names = append(names, f.Name)
	}
	return "", usage("which one? There are %s: run `storm cluster %s NAME`", strings.Join(names, ", "), verb)
}
