package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/internal/priority"
	"github.com/storm-harness/storm/report"
	"github.com/storm-harness/storm/report/render"
)

func (a *app) reportVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "report DIR",
		Short: "Render the report of a run directory again",
		Long: `report analyses a run directory and writes report.html, report.md, report.json
and junit.xml into it. It needs nothing but the directory: no cluster, and not
the machine that the run was on. A run that was cut off gives a report of what
there is, and is never a pass. The exit code is the verdict's. In a workflow of
GitHub (GITHUB_STEP_SUMMARY) report.md becomes the step's summary too.

` + exitCodes,
		Example: "  storm report runs/2026-11-22-quickstart",
		Args:    takes(1, 1, "a run directory"),
		RunE: func(_ *cobra.Command, args []string) error {
			result, files, err := analyse(args[0])
			if err != nil {
				return err
			}
			return a.conclude(result, files)
		},
	}
}

// analyse analyses a run directory, and renders its reports into it.
func analyse(path string) (*report.Result, render.Paths, error) {
	defer priority.KeepSmall()() // an hour's run is a lot to read
	dir, err := openRun(path)
	if err != nil {
		return nil, render.Paths{}, err
	}
	defer func() { _ = dir.Close() }() // it was only read
	result, err := report.Analyse(dir)
	if err != nil {
		return nil, render.Paths{}, fmt.Errorf("analysing %s: %w", path, err)
	}
	files, err := render.All(path, result)
	if err != nil {
		return nil, render.Paths{}, err
	}
	return result, files, nil
}

// conclude prints the verdict, gives the step's summary to GitHub if that is
// where storm runs, and returns the verdict as an exit code.
func (a *app) conclude(result *report.Result, files render.Paths) error {
	screen := render.Screen{Width: width(a.stdout), Color: colour(a.stdout), Report: files.HTML}
	if err := render.Terminal(a.stdout, result, screen); err != nil {
		return err
	}
	a.summarize(files.Markdown)
	if result.ExitCode != exitPass {
		return &errVerdict{result.ExitCode}
	}
	return nil
}
