package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/internal/ledger"
)

func (a *app) cleanupVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cleanup",
		Short: "Remove what a killed storm left behind",
		Long: `cleanup reads the ledgers of runs whose storm is gone and puts back what they
say was changed: it ends processes and removes directories and interfaces, each
only if it is certainly that run's own. A storm that is alive is left alone, and
so is everything that storm did not make. To call it twice is harmless.`,
		Example: "  storm cleanup\n  storm cleanup -o json",
		Args:    takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := ledger.Cleanup(cmd.Context(), nil)
			if found == nil {
				found = []ledger.Finding{}
			}
			l := listing{data: found}
			for _, f := range found {
				l.rows = append(l.rows, []string{findingText(f)})
				l.names = append(l.names, f.Run)
			}
			if len(found) == 0 && err == nil {
				l.rows = [][]string{{"Nothing was left behind."}}
			}
			if printErr := a.print(l); printErr != nil {
				return printErr
			}
			if err != nil {
				return fmt.Errorf("not everything could be put back: %w", err)
			}
			return nil
		},
	}
	a.outputFlag(cmd)
	return cmd
}

// findingText is a finding in words.
func findingText(f ledger.Finding) string {
	text := "run " + f.Run + ":"
	if f.Kind != "" {
		text += fmt.Sprintf(" %s %s", f.Kind, f.Name)
	}
	if f.PID != 0 {
		text += fmt.Sprintf(" (process %d)", f.PID)
	}
	text += " " + f.Result
	if f.Why != "" {
		text += ": " + f.Why
	}
	return text
}
