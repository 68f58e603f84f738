package main

import (
	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters/supervise"
)

// superviseVerb is what storm starts of itself, one for each cluster.
func (a *app) superviseVerb() *cobra.Command {
	return &cobra.Command{
		Use:    supervise.Verb,
		Short:  "Keep a cluster's processes (storm starts this by itself)",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if code := supervise.Main(); code != exitPass {
				return &errVerdict{code}
			}
			return nil
		},
	}
}
