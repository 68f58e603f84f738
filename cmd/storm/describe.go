package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/scenarios"
)

func (a *app) describeVerb() *cobra.Command {
	return &cobra.Command{
		Use:               "describe NAME|FILE",
		Short:             "Say what a scenario does, in words",
		Example:           "  storm describe quickstart",
		Args:              takes(1, 1, "a scenario or a file"),
		ValidArgsFunction: completeScenario,
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := load(args[0], scenarios.Changes{})
			if err != nil {
				return err
			}
			text, err := s.Describe()
			if err != nil {
				return err
			}
			a.warn(s)
			if s.TooFew != nil {
				fmt.Fprintf(a.stderr, "warning: %s\n", plain(s.TooFew.Error()))
			}
			fmt.Fprint(a.stdout, plain(text))
			return nil
		},
	}
}
