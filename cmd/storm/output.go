package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// listing is something printed with -o: as a table, as its data, or by name.
type listing struct {
	head  []string
	rows  [][]string
	data  any      // for json and yaml; never nil, so that an empty list prints as one
	names []string // for name
}

// tell adds a row whose last cell is a text, in as many lines of a width as it
// takes. The head's other cells are those of the first line.
func (l *listing) tell(columns int, first []string, text string) {
	for i, line := range wrap(text, columns) {
		row := make([]string, len(l.head))
		if i == 0 {
			copy(row, first)
		}
		row[len(row)-1] = line
		l.rows = append(l.rows, row)
	}
}

// outputFlag adds -o to a verb.
func (a *app) outputFlag(cmd *cobra.Command) {
	a.output = "table"
	cmd.Flags().VarP(&a.output, "output", "o", "table, json, yaml or name")
	_ = cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp))
}

// print writes the listing to stdout as -o asks.
func (a *app) print(l listing) error {
	switch a.output {
	case "table":
		w := tabwriter.NewWriter(a.stdout, 0, 0, 3, ' ', 0)
		if len(l.head) > 0 {
			fmt.Fprintln(w, strings.Join(l.head, "\t"))
		}
		for _, row := range l.rows {
			fmt.Fprintln(w, plain(strings.Join(row, "\t")))
		}
		return w.Flush()
	case "json":
		out, err := json.MarshalIndent(l.data, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%s\n", out)
	case "yaml":
		out, err := yaml.Marshal(l.data)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%s", out)
	case "name":
		for _, name := range l.names {
			fmt.Fprintln(a.stdout, plain(name))
		}
	}
	return nil
}
