package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/storm-harness/storm/internal/strict"
)

// takes checks how many arguments there are; what says of them what they are.
func takes(least, most int, what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usage("name %s", what)
		case most == 0 && len(args) > 0:
			return usage("it takes no arguments: found %q", args[0])
		case most > 0 && len(args) > most:
			return usage("it takes %s, and no more: found %q", what, args[most])
		}
		return nil
	}
}

// anyNumber is for takes.
const anyNumber = -1

// onlyVerbs is the check of a command that has verbs and does nothing itself.
func onlyVerbs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var verbs []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			verbs = append(verbs, c.Name())
		}
	}
	return usage("%s has no verb %q: %s", cmd.CommandPath(), args[0], strict.Suggest(args[0], "verbs", verbs))
}

// strictHelp makes cobra's own verbs refuse what they do not know, as storm's
// do: a script that asks for the completion of a shell that storm does not know
// must not take an empty answer for one.
func strictHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "completion":
			cmd.Args, cmd.RunE = onlyVerbs, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		case "help":
			cmd.Run = nil
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				about, rest, err := cmd.Root().Find(args)
				if err != nil || len(rest) > 0 {
					return usage("there is no help on %q", strings.Join(args, " "))
				}
				return about.Help()
			}
		}
	}
}

// badFlag is the error of a flag that is unknown or has a wrong value.
func badFlag(cmd *cobra.Command, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !unknown {
		// What a parser of Go's standard library says after the flag's own
		// message helps nobody.
		text, _, _ := strings.Cut(err.Error(), ": strconv.")
		return usage("%s", text)
	}
	var flags []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { flags = append(flags, "--"+f.Name) })
	if near, ok := strict.Nearest("--"+name, flags); ok {
		return usage("unknown flag: --%s: did you mean %s?", name, near)
	}
	return usage("unknown flag: --%s", name)
}

// outputs are the values of -o.
var outputs = []string{"table", "json", "yaml", "name"}

// outputValue is the value of -o, checked before anything is done.
type outputValue string

// String implements pflag.Value.
func (v *outputValue) String() string { return string(*v) }

// Type implements pflag.Value.
func (v *outputValue) Type() string { return "format" }

// Set implements pflag.Value.
func (v *outputValue) Set(s string) error {
	for _, o := range outputs {
		if s == o {
			*v = outputValue(s)
			return nil
		}
	}
	return fmt.Errorf("the outputs are %s", strings.Join(outputs, ", "))
}
