package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/scenarios"
)

func (a *app) schemaVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of scenarios, for editors",
		Long: `schema prints a JSON Schema (draft-07) of the scenario format. An editor with a
YAML language server checks and completes scenarios with it: put the line

  # yaml-language-server: $schema=storm.schema.json

at the top of a scenario.`,
		Example: "  storm schema > storm.schema.json",
		Args:    takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			schema, err := scenarios.Schema(kinds())
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s\n", schema)
			return nil
		},
	}
}
