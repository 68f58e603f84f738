package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

func (a *app) compareVerb() *cobra.Command {
	var profile string
	cmd := &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "Hold a run against an earlier one, with a weaker claim",
		Long: `compare holds the trials of two run directories of one scenario against each
other, on what the gates of the new one look at: by the exact rank-sum test and
its interval, unpaired. It gives no verdict: the runs were made at different
times, and what else changed meanwhile is in every ratio. To decide, run both
as profiles of one scenario. Runs of different scenarios are refused, with exit
code 2.`,
		Example: `  storm compare runs/2026-11-15-leader-loss runs/2026-11-22-leader-loss
  storm compare runs/before runs/after --profile stock=fast-election -o json`,
		Args: takes(2, 2, "two run directories, the old one and the new one"),
		RunE: func(_ *cobra.Command, args []string) error {
			from, to, both := strings.Cut(profile, "=")
			if !both {
				to = from
			}
			return a.compareRuns(args[0], args[1], from, to)
		},
	}
	cmd.Flags().StringVar(&profile, "profile", "", "`name` of the one profile to compare, or OLD=NEW (default all that both runs have)")
	a.outputFlag(cmd)
	return cmd
}

func (a *app) compareRuns(oldPath, newPath, from, to string) error {
	before, err := openRun(oldPath)
	if err != nil {
		return err
	}
	defer func() { _ = before.Close() }() // it was only read
	after, err := openRun(newPath)
	if err != nil {
		return err
	}
	defer func() { _ = after.Close() }()
	against, err := report.CompareRuns(before, after, from, to)
	if errors.Is(err, report.ErrNotComparable) {
		return &codedError{exitUsage, err}
	}
	var profiles *report.ProfileError
	if errors.As(err, &profiles) {
		return usage("%w", err)
	}
	if err != nil {
		return err
	}
	for _, w := range against.Warnings {
		fmt.Fprintf(a.stderr, "warning: %s\n", plain(w))
	}
	if a.output == "table" {
		a.printAgainst(against)
		return nil
	}
	l := listing{data: against}
	for _, r := range against.Rows {
		l.names = append(l.names, r.Profile+": "+r.Title)
	}
	return a.print(l)
}

// printAgainst writes a comparison of runs for a reader.
func (a *app) printAgainst(against *report.Against) {
	line := func(indent, text string) { printWrapped(a.stdout, indent, text) }
	line("", fmt.Sprintf("%s, run %s against run %s", against.New.Scenario, against.New.ID, against.Old.ID))
	line("", against.Claim)
	for _, r := range against.Rows {
		name := r.Profile
		if r.NewProfile != "" {
			name += " against " + r.NewProfile
		}
		fmt.Fprintln(a.stdout)
		line("", name+": "+r.Title)
		line("  ", fmt.Sprintf("old %s (%s), new %s (%s)", report.FormatOf(r.Metric, r.OldMedian, r.Unit), unit.Count(r.OldTrials, "trial"), report.FormatOf(r.Metric, r.NewMedian, r.Unit), unit.Count(r.NewTrials, "trial")))
		line("  ", r.Text)
	}
}

// printWrapped writes a text in lines of 80 columns at most.
func printWrapped(out io.Writer, indent, text string) {
	for _, l := range wrap(text, 80-len(indent)) {
		fmt.Fprintf(out, "%s%s\n", indent, plain(l))
	}
}
