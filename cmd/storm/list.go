package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/scenarios"
)

// listed is a scenario of the catalogue, as list prints it.
type listed struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Profiles    []string `json:"profiles"`
	Trials      int      `json:"trials"`
}

func (a *app) listVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the scenarios that come with storm",
		Example: "  storm list\n  storm list -o name",
		Args:    takes(0, 0, ""),
		RunE: func(*cobra.Command, []string) error {
			names, err := scenarios.Catalogue()
			if err != nil {
				return err
			}
			l := listing{head: []string{"NAME", "TRIALS", "WHAT IT ASKS"}, names: names}
			data := []listed{}
			for _, name := range names {
				s, err := load(name, scenarios.Changes{})
				if err != nil {
					return err
				}
				item := listed{Name: name, Description: s.Description, Trials: s.Trials()}
				for _, p := range s.Profiles {
					item.Profiles = append(item.Profiles, p.Name)
				}
				data = append(data, item)
				l.tell(width(a.stdout)-28, []string{name, strconv.Itoa(item.Trials)}, s.Description)
			}
			l.data = data
			return a.print(l)
		},
	}
	a.outputFlag(cmd)
	return cmd
}
