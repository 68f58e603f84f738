package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/components"
	"github.com/storm-harness/storm/clusters/doctor"
	"github.com/storm-harness/storm/internal/ledger"
	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/report"
	"github.com/storm-harness/storm/report/render"
	"github.com/storm-harness/storm/scenarios"
	"github.com/storm-harness/storm/scenarios/runner"
)

// runFlags are the flags of run.
type runFlags struct {
	dir      string
	profiles []string
	sets     []string
	seed     int64
	dryRun   bool
	try      bool
	where    providerFlags
}

func (a *app) runVerb() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run NAME|FILE",
		Short: "Put a control plane through a scenario, and report it",
		Long: `run starts the scenario's cluster, runs every trial on it, and writes a run
directory with the report. What it starts it also ends: on Ctrl-C it heals what
it broke, stops everything, and reports what there is; a second Ctrl-C does not
wait for that. In a workflow of GitHub (GITHUB_STEP_SUMMARY) the report becomes
the step's summary.

With --profile NAME=KEY:VALUE a profile is written on the command line. KEY is a
path of the spec, within cluster or workloads; or binDir, for the directory of a
build under test: the components that it has are taken from there, the others
from their version. Two new profiles or more take the place of the scenario's
own, and what compares, compares with the first.

` + exitCodes,
		Example: `  storm run quickstart
  storm run my.yaml --set blocks=8 --set workloads.fleet.nodes.count=1000
  storm run my.yaml --profile my-tuning.yaml
  storm run two-builds --profile base=binDir:old/bin --profile head=binDir:bin
  storm run quickstart --dry-run
  storm run quickstart --provider kind
  storm run my.yaml --provider existing --context staging`,
		Args:              takes(1, 1, "a scenario or a file"),
		ValidArgsFunction: completeScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.run(cmd.Context(), args[0], f)
		},
	}
	cmd.Flags().StringVar(&f.dir, "dir", "", "run directory to make (default runs/DATE-SCENARIO)")
	cmd.Flags().StringArrayVar(&f.profiles, "profile", nil, "`file` of a profile to add, or to merge into the one of its name; or NAME=KEY:VALUE, of which KEY is binDir or a path of the spec; repeatable")
	cmd.Flags().StringArrayVar(&f.sets, "set", nil, "`path=value` to set in the scenario's spec, such as blocks=8; repeatable")
	seedFlag(cmd, &f.seed)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be done, and do nothing")
	f.where.add(cmd)
	a.images.add(cmd)
	cmd.Flags().BoolVar(&f.try, "try", false, "run it even with too few blocks for any verdict: comparisons are then inconclusive")
	return cmd
}

func (a *app) run(ctx context.Context, name string, f runFlags) error {
	changes := scenarios.Changes{Sets: f.sets, Provider: f.where.provider}
	for _, arg := range f.profiles {
		if err := addProfile(&changes, arg); err != nil {
			return err
		}
	}
	s, err := load(name, changes)
	if err != nil {
		return err
	}
	if err := enough(name, s); err != nil {
		if !f.try {
			return fmt.Errorf("%w; --try runs it anyway, without a verdict", err)
		}
		fmt.Fprintf(a.stderr, "warning: %s\n", plain(s.TooFew.Error()))
	}
	if err := f.where.check(s, true); err != nil {
		return err
	}
	if err := possible(s, f.where); err != nil {
		return err
	}
	seed, drawn, err := seedFor(s, f.seed)
	if err != nil {
		return err
	}
	a.warn(s)
	if err := f.free(); err != nil {
		return err
	}
	if f.dryRun {
		if err := a.askWhatIsThere(ctx, name, s); err != nil {
			return err
		}
		return errors.Join(a.dryRun(s, seed, drawn), a.foresee(ctx, s, f.where))
	}
	return a.execute1(ctx, s, seed, f.dir, f.where, a.conclude)
}

// free refuses a run directory that is taken, before anything is done.
func (f *runFlags) free() error {
	if f.dir != "" && rundir.Holds(f.dir) {
		return fmt.Errorf("%s holds a run already: name another directory", f.dir)
	}
	return nil
}

// seedFlag adds --seed, whose default help does not show.
func seedFlag(cmd *cobra.Command, into *int64) {
	cmd.Flags().Int64Var(into, "seed", unseeded, "seed of everything random (default drawn, and printed)")
	cmd.Flags().Lookup("seed").DefValue = "0" // which pflag does not print
}

// unseeded is a --seed that was not given: 0 is a seed as good as others.
const unseeded = math.MinInt64

// seedFor is the flag's seed, else the scenario's, else a drawn one.
func seedFor(s *scenarios.Scenario, flag int64) (seed int64, drawn bool, err error) {
	switch {
	case flag != unseeded:
		return flag, false, nil
	case s.Seed != nil:
		return *s.Seed, false, nil
	}
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return 0, false, err
	}
	return n.Int64() + 1, true, nil
}

// execute1 runs a scenario that has been found possible, renders the report, and
// leaves it to conclude to say what came of it.
func (a *app) execute1(ctx context.Context, s *scenarios.Scenario, seed int64, dir string, where providerFlags, conclude func(*report.Result, render.Paths) error) (err error) {
	id := time.Now().UTC().Format("20060102t150405-") + random()
	if dir == "" {
		dir = filepath.Join("runs", time.Now().Format("2006-01-02-150405-")+s.Name)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	store, err := components.Open(components.Options{})
	if err != nil {
		return err
	}
	book, err := ledger.Create(id)
	if err != nil {
		return err
	}
	defer func() { err = a.settle(context.WithoutCancel(ctx), book, err) }()
	clusterDir, err := clusterDir(id)
	if err != nil {
		return err
	}
	least, _, err := spans(s, seed)
	if err != nil {
		return err
	}
	show := newDisplay(a.stderr, least...)
	defer show.close()
	show.line("run %s of %s, seed %d", id, s.Name, seed)
	show.line("directory %s", dir)
	defer context.AfterFunc(ctx, func() {
		show.interrupted("interrupted: healing, leaving nothing behind, reporting; once more, and storm does not wait")
	})()

	before := func(ctx context.Context, sink clusters.Sink) ([]string, error) {
		if err := fetch(ctx, s, store, a.images, sink); err != nil {
			return nil, err
		}
		missing, err := askBinaries(ctx, s, store)
		if err != nil {
			return nil, err
		}
		warnings := notAsked(missing)
		for _, w := range warnings {
			show.line("%s", w)
		}
		return warnings, nil
	}
	up := func(ctx context.Context, spec clusters.Spec, logs string, sink clusters.Sink, exited func(clusters.ID, string)) (clusters.Cluster, error) {
		c, err := providerOf(spec).up(ctx, upOptions{spec: spec, dir: clusterDir, logs: logs, store: store, ledger: book, sink: sink, exited: exited, scenario: s, flags: where, imageFlags: a.images})
		if err != nil {
			return nil, err
		}
		if n, ok := c.(interface{ Namespaces() bool }); ok && !n.Namespaces() {
			show.line("without network namespaces: no partitions and no link delay, see `storm doctor`")
		}
		return c, nil
	}
	made, err := runner.Run(ctx, runner.Options{
		Scenario: s, Before: before, Up: up, Dir: dir, RunID: id, Seed: seed, Command: os.Args, Version: version,
		Host: doctor.Host(filepath.Dir(clusterDir)), Observe: show.progress, Log: slog.New(slog.DiscardHandler),
	})
	if made == nil {
		return err // it did not come to a run
	}
	if begun := func(t rundir.TrialState) bool { return t.Begun }; !slices.ContainsFunc(made.Trials(), begun) {
		if ctx.Err() != nil {
			return errInterruptedEarly
		}
		return err
	}
	show.progress(runner.Progress{Stage: runner.StageFinish, Text: "analysing what was measured, and rendering the report"})
	result, files, reportErr := analyse(dir)
	show.close()
	verdict := reportErr
	if reportErr == nil {
		verdict = conclude(result, files)
	}
	switch {
	case ctx.Err() != nil && reportErr == nil:
		return errInterrupted
	case err != nil:
		return err
	}
	return verdict
}

// settle ends the run's ledger, and returns how the run ended. What the
// cluster's supervisor could not put back, because it was killed, is put back
// here.
func (a *app) settle(ctx context.Context, book *ledger.Ledger, ended error) error {
	errs := []error{book.Finish(), book.Close()}
	found, _ := ledger.CleanupUnkept(ctx, nil) // what it could not do for others is theirs
	for _, f := range found {
		switch {
		case f.Run != book.RunID() || f.Result == ledger.Gone:
		case f.Result == ledger.Failed:
			errs = append(errs, errors.New(findingText(f)))
		default:
			fmt.Fprintln(a.stderr, plain(findingText(f)))
		}
	}
	err := errors.Join(errs...)
	if err == nil {
		return ended
	}
	err = fmt.Errorf("not everything could be put back: %w: run `storm cleanup`", err)
	if ended == nil {
		return err
	}
	fmt.Fprint(a.stderr, tell(ctx, err, ""))
	return ended
}

// clusterDir is where the cluster of a run keeps its data; those that were
// started by hand have a folder of their own.
func clusterDir(id string) (string, error) {
	ledgers, err := ledger.Dir()
	if err != nil {
		return "", err
	}
	return filepath.Join(filepath.Dir(ledgers), "runs", id), nil
}

func random() string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // crypto/rand does not fail on Linux
	return hex.EncodeToString(b[:])
}
