package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/scenarios"
)

func (a *app) validateVerb() *cobra.Command {
	var where providerFlags
	cmd := &cobra.Command{
		Use:   "validate FILE|NAME...",
		Short: "Check scenarios without starting anything",
		Long: `validate reads each scenario as strictly as run does and prints everything that
is wrong, with file, line and field; whether its blocks are enough for any
verdict; what this machine's cluster could not do of it; and, where the
components are in the cache, which flags and feature gates they do not take.
With --context it looks whether an existing cluster could be used, and changes
nothing there.
The exit code is 2 if anything is wrong.`,
		Example:           "  storm validate my.yaml\n  storm validate my/*.yaml",
		Args:              takes(1, anyNumber, "the scenarios or files to check"),
		ValidArgsFunction: completeScenario,
		RunE: func(cmd *cobra.Command, args []string) error {
			wrong := 0
			for _, arg := range args {
				s, err := load(arg, scenarios.Changes{Provider: where.provider})
				if err == nil {
					err = enough(arg, s)
				}
				if err == nil {
					err = where.check(s, false)
				}
				if err == nil {
					err = possible(s, where)
				}
				if err == nil {
					err = a.askWhatIsThere(cmd.Context(), arg, s)
				}
				if err == nil && where.context != "" {
					err = a.foresee(cmd.Context(), s, where)
				}
				if err != nil {
					wrong++
					fmt.Fprintln(a.stderr, plain(err.Error()))
					continue
				}
				a.warn(s)
				fmt.Fprintf(a.stdout, "%s: ok, %s\n", plain(arg), counted(s))
			}
			switch {
			case wrong == 1 && len(args) == 1:
				return &codedError{exitUsage, errors.New("the scenario is wrong: mend what is said above")}
			case wrong > 0:
				return &codedError{exitUsage, fmt.Errorf("%d of %d scenarios are wrong: mend what is said above", wrong, len(args))}
			}
			return nil
		},
	}
	where.add(cmd)
	return cmd
}

// load reads a scenario of the catalogue or a file.
func load(nameOrPath string, changes scenarios.Changes) (*scenarios.Scenario, error) {
	src, err := scenarios.Open(nameOrPath)
	if err != nil {
		return nil, &codedError{exitUsage, err}
	}
	s, err := scenarios.Load(src, kinds(), changes)
	if err != nil {
		return nil, problemsOf(nameOrPath, err)
	}
	return s, nil
}

// problemsOf is the error of a file with everything that is wrong with it, a
// line each.
func problemsOf(name string, err error) error {
	lines := strings.Split(err.Error(), "\n")
	if len(lines) > 1 {
		err = fmt.Errorf("%d problems with %s:\n  %s", len(lines), name, strings.Join(lines, "\n  "))
	}
	return &codedError{exitUsage, err}
}

// enough refuses blocks that are too few for any verdict of a comparison.
func enough(name string, s *scenarios.Scenario) error {
	if err := s.TooFew.Err(); err != nil {
		return problemsOf(name, err)
	}
	return nil
}

// possible says what of a scenario this machine's cluster cannot do.
func possible(s *scenarios.Scenario, where providerFlags) error {
	t, err := s.Trial(s.Profiles[0].Name, "")
	if err != nil {
		return err
	}
	p := providerOf(t.Cluster)
	absent := p.capabilities(t.Cluster)
	for capability, why := range absent {
		if why == "" {
			delete(absent, capability)
		}
	}
	if why, all := absent[clusters.CanGolden]; all && len(p.needs[clusters.CanGolden]) > 0 {
		// Without going back to a state there are no trials: no such cluster can be had.
		return &codedError{exitUsage, fmt.Errorf("cluster.provider: there can be no %s cluster on this machine: %s", t.Cluster.Provider, why)}
	}
	wrong := s.Missing(absent)
	if p.unmeasured != nil {
		wrong = errors.Join(wrong, s.Unmeasured(p.unmeasured(where)))
	}
	if wrong != nil {
		return &codedError{exitUsage, wrong}
	}
	return nil
}

// warn prints what surprises in a scenario.
func (a *app) warn(s *scenarios.Scenario) {
	for _, w := range s.Warnings {
		fmt.Fprintf(a.stderr, "warning: %s\n", plain(w.String()))
	}
}

// counted says how much work a scenario is.
func counted(s *scenarios.Scenario) string {
	text := unit.Count(s.Trials(), "trial")
	if len(s.Profiles) > 1 {
		text += fmt.Sprintf(" (%s of %s", unit.Count(s.Blocks, "block"), unit.Count(len(s.Profiles), "profile"))
		if s.WarmupBlock {
			text += ", one more to warm up"
		}
		if len(s.Tours) > 0 {
			text += ", " + unit.Count(len(s.Tours), "tour")
		}
		text += ")"
	}
	return text
}

// completeScenario completes the catalogue's names, and files.
func completeScenario(_ *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	names, err := scenarios.Catalogue()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveDefault
}
