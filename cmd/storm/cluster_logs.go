package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/hand"
	"github.com/storm-harness/storm/clusters/kind"
)

func (a *app) clusterLogsVerb() *cobra.Command {
	var to string
	cmd := &cobra.Command{
		Use:   "logs [NAME]",
		Short: "Export the logs of a cluster that was started by hand",
		Long: `logs copies what the cluster's components have logged so far into a directory
that does not exist yet. Of a cluster on kind it adds what ` + "`kind export logs`" + `
has, in a folder named nodes: the journal of every node, and the logs of all of
its containers, also of those that were restarted since.`,
		Example:           "  storm cluster logs --to ./logs\n  storm cluster logs mine --to ./logs",
		Args:              takes(0, 1, "the name of one cluster"),
		ValidArgsFunction: handNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := whichCluster(cmd.Context(), args, "logs")
			if err != nil {
				return err
			}
			f, err := hand.State(name)
			if err != nil {
				return err
			}
			if err := exportLogs(f, to); err != nil {
				return fmt.Errorf("the logs of cluster %s: %w", name, err)
			}
			fmt.Fprintf(a.stdout, "The logs of cluster %s are in %s.\n", name, to)
			return nil
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the directory to make for them")
	_ = cmd.MarkFlagRequired("to") // there is such a flag
	return cmd
}

// exportLogs copies a cluster's logs into a new directory, as private as they are.
func exportLogs(f hand.ByHand, to string) error {
	if err := os.Mkdir(to, 0o700); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists already: name a directory that does not", to)
	} else if err != nil {
		return err
	}
	if err := os.CopyFS(to, os.DirFS(f.Logs)); err != nil {
		return err
	}
	if f.Spec.Provider != clusters.KindCluster {
		return nil
	}
	return kind.ExportLogs(f.RunID, filepath.Join(to, "nodes"))
}
