package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// app is the command line, with the streams it writes to: tests give it theirs.
type app struct {
	stdout, stderr io.Writer
	output         outputValue // -o
	images         imageFlags  // of run, calibrate and cluster up
}

func newApp(stdout, stderr io.Writer) *app { return &app{stdout: stdout, stderr: stderr} }

// execute runs one command line and returns its exit code.
func (a *app) execute(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	var verdict *errVerdict
	if err != nil && !errors.As(err, &verdict) {
		fmt.Fprint(a.stderr, tell(ctx, err, cmd.CommandPath()))
	}
	return codeOf(ctx, err)
}

// root is the whole tree of verbs: one file each.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "storm",
		Short: "Load and chaos tests for large Kubernetes control planes, with verdicts to stake a release on",
		Long: `storm puts a real Kubernetes control plane under a described load and described
faults, repeats that for every tuning profile in random paired order, and says
with statistics which profile is better, whether the SLOs hold, and how long
recovery takes.`,
		Example: `  storm run quickstart         # a lost leader, a full quota, a restore
  storm list                   # the scenarios that come with storm
  storm run my.yaml --dry-run  # what would be done, without doing it
  storm doctor                 # what this machine can and cannot do`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          onlyVerbs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.Version = version
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(badFlag)
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	root.AddGroup(
		&cobra.Group{ID: "run", Title: "Run and report:"},
		&cobra.Group{ID: "scenario", Title: "Scenarios:"},
		&cobra.Group{ID: "machine", Title: "Clusters and this machine:"},
	)
	for group, verbs := range map[string][]*cobra.Command{
		"run":      {a.runVerb(), a.reportVerb(), a.calibrateVerb(), a.compareVerb()},
		"scenario": {a.listVerb(), a.describeVerb(), a.validateVerb(), a.schemaVerb()},
		"machine":  {a.clusterVerb(), a.componentsVerb(), a.doctorVerb(), a.cleanupVerb()},
		"":         {a.versionVerb(), a.superviseVerb()},
	} {
		for _, verb := range verbs {
			verb.GroupID = group
			root.AddCommand(verb)
		}
	}
	strictHelp(root)
	return root
}
