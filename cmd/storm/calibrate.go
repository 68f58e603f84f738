package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
	"github.com/storm-harness/storm/report/render"
	"github.com/storm-harness/storm/scenarios"
)

// calibrateFlags are the flags of calibrate.
type calibrateFlags struct {
	from    string
	blocks  int
	profile string
	run     runFlags
}

// leastCalibrated is how many blocks an A/A run has unless the scenario has
// more, or the user says otherwise: fewer know the noise too roughly.
const leastCalibrated = 8

func (a *app) calibrateVerb() *cobra.Command {
	var f calibrateFlags
	cmd := &cobra.Command{
		Use:   "calibrate NAME|FILE",
		Short: "Measure what this machine's noise hides: a profile against itself",
		Long: `calibrate runs a scenario with one profile under two names (an A/A run), in
blocks of random order, and says of every gated metric how much the two differ
by themselves; the smallest ratio that so many blocks can tell from 1, by the
exact test that a gate uses; and the margin and the blocks to take. With --from
it reckons the same from a run that is there, best an A/A one.`,
		Example: `  storm calibrate leader-loss
  storm calibrate my.yaml --blocks 12 --profile head
  storm calibrate --from runs/2026-11-22-leader-loss -o json`,
		Args:              takes(0, 1, "one scenario or file"),
		ValidArgsFunction: completeScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case f.from != "" && len(args) > 0:
				return usage("--from reckons from a run that is there: name no scenario")
			case f.from != "":
				return a.calibrated(f.from)
			case len(args) == 0:
				return usage("name a scenario or a file, or a run with --from")
			}
			return a.calibrate(cmd.Context(), args[0], f)
		},
	}
	cmd.Flags().StringVar(&f.from, "from", "", "run `directory` to reckon from, instead of running")
	cmd.Flags().IntVar(&f.blocks, "blocks", 0, "blocks of the A/A run (default the scenario's, and 8 at least)")
	cmd.Flags().StringVar(&f.profile, "profile", "", "profile to hold against itself (default the first)")
	cmd.Flags().StringVar(&f.run.dir, "dir", "", "run directory to make (default runs/DATE-calibrate-SCENARIO)")
	cmd.Flags().StringArrayVar(&f.run.sets, "set", nil, "`path=value` to set in the scenario's spec; repeatable")
	seedFlag(cmd, &f.run.seed)
	cmd.Flags().BoolVar(&f.run.dryRun, "dry-run", false, "say what would be done, and do nothing")
	f.run.where.add(cmd)
	a.images.add(cmd)
	a.outputFlag(cmd)
	return cmd
}

// calibrate makes an A/A run, and says what it tells.
func (a *app) calibrate(ctx context.Context, name string, f calibrateFlags) error {
	s, err := load(name, scenarios.Changes{Sets: f.run.sets, Provider: f.run.where.provider})
	if err != nil {
		return err
	}
	blocks := f.blocks
	if blocks == 0 {
		blocks = max(s.Blocks, leastCalibrated)
	}
	if blocks < 2 {
		return usage("--blocks: two pairs are the least that have a noise")
	}
	if s, err = s.Twice(f.profile, blocks); err != nil {
		return usage("%w", err)
	}
	if err := f.run.where.check(s, true); err != nil {
		return err
	}
	if err := possible(s, f.run.where); err != nil {
		return err
	}
	seed, drawn, err := seedFor(s, f.run.seed)
	if err != nil {
		return err
	}
	if err := f.run.free(); err != nil {
		return err
	}
	if f.run.dryRun {
		return errors.Join(a.dryRun(s, seed, drawn), a.foresee(ctx, s, f.run.where))
	}
	a.warn(s)
	dir := f.run.dir
	if dir == "" {
		dir = filepath.Join("runs", time.Now().Format("2006-01-02-150405-calibrate-")+s.Name)
	}
	return a.execute1(ctx, s, seed, dir, f.run.where, func(_ *report.Result, files render.Paths) error {
		fmt.Fprintf(a.stderr, "report: %s\n", plain(files.HTML))
		return a.calibrated(filepath.Dir(files.HTML))
	})
}

// calibrated prints what a run tells of the noise.
func (a *app) calibrated(path string) error {
	dir, err := openRun(path)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Close() }() // it was only read
	c, err := report.Calibrate(dir)
	if err != nil {
		return err
	}
	for _, w := range c.Warnings {
		fmt.Fprintf(a.stderr, "warning: %s\n", plain(w))
	}
	if a.output == "table" {
		printCalibration(a.stdout, c)
	} else {
		l := listing{data: c}
		for _, m := range c.Metrics {
			l.names = append(l.names, m.Title)
		}
		if err := a.print(l); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(c.Metrics, func(n report.Noise) bool { return n.SD.Is() }) {
		return &codedError{exitInvalid, errors.New("no metric's noise could be measured: see the report for why the trials do not count")}
	}
	return nil
}

// openRun opens a run directory that was named on the command line.
func openRun(path string) (*rundir.Dir, error) {
	dir, err := rundir.Open(path)
	if err != nil {
		return nil, &codedError{exitUsage, err}
	}
	return dir, nil
}

// printCalibration writes a calibration for a reader.
func printCalibration(out io.Writer, c *report.Calibration) {
	twins := fmt.Sprintf("%s against %s", c.Base, c.Profile)
	if c.Twins {
		twins = "one profile against itself"
	}
	printWrapped(out, "", fmt.Sprintf("Noise of %s: %s in %s, alpha %s%%", c.Run.Scenario, twins, unit.Count(c.Blocks, "block"), plainNumber(100*c.Alpha)))
	for _, m := range c.Metrics {
		fmt.Fprintln(out)
		printWrapped(out, "", m.Title)
		if m.SD.Is() {
			printWrapped(out, "  ", fmt.Sprintf("median %s, %s; standard deviation of their log ratios %s, with 80%% confidence at most %s",
				report.FormatOf(m.Metric, m.Median, m.Unit), unit.Count(m.Pairs, "pair"), plainNumber(m.SD.Float()), plainNumber(m.SDHigh.Float())))
		}
		if m.Confidence > 0 && c.Twins {
			alarm := ""
			if m.FalseAlarm {
				alarm = ": a false alarm"
			}
			printWrapped(out, "  ", fmt.Sprintf("ratio of the two %s, %s%% interval %s to %s%s", plainNumber(m.Ratio.Float()), plainNumber(100*m.Confidence), plainNumber(m.Low.Float()), plainNumber(m.High.Float()), alarm))
		}
		if len(m.Detect) > 0 {
			w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
			fmt.Fprintln(w, "  BLOCKS\tTOLD FROM 1 IN 80%\tIN 95%\tMARGIN FOR NO CHANGE TO PASS IN 95%")
			for _, d := range m.Detect {
				fmt.Fprintf(w, "  %d\t%s\t%s\t%s%%\n", d.Blocks, plainNumber(d.Ratio80.Float()), plainNumber(d.Ratio95.Float()), plainNumber(100*d.Margin.Float()))
			}
			_ = w.Flush() // to where the rest goes
		}
		printWrapped(out, "  ", m.Text)
	}
}

// plainNumber writes three significant digits, without a unit.
func plainNumber(v float64) string { return report.Format(report.Number(v), "") }
