package main

import (
	"runtime"

	"github.com/spf13/cobra"
)

func (a *app) versionVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Say which storm this is",
		Example: "  storm version\n  storm version -o json",
		Args:    takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			data := map[string]string{"version": version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
			return a.print(listing{
				rows:  [][]string{{"storm " + version, data["go"], data["platform"]}},
				data:  data,
				names: []string{version},
			})
		},
	}
	a.outputFlag(cmd)
	return cmd
}
