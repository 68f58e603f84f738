package main

import (
	"cmp"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters/doctor"
)

func (a *app) doctorVerb() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can and cannot do, and what that disables",
		Long: `doctor tries what storm's clusters and faults need (root, network namespaces,
queueing disciplines, TUN, FUSE, cgroups, Docker, the disk's fsync) and says
what is missing and what that disables. It leaves nothing behind. The exit code
is 1 only where something is missing without which no local cluster runs.`,
		Example: "  storm doctor\n  sudo storm doctor -o json",
		Args:    takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := doctor.Look(cmd.Context(), doctor.Options{DataDir: cmp.Or(dir, os.TempDir())})
			l, missing := listFindings(findings, width(a.stdout))
			if err := a.print(l); err != nil {
				return err
			}
			return missing
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "directory whose disk is looked at (default the one for temporary files)")
	a.outputFlag(cmd)
	return cmd
}

// listFindings is the listing of what was found, and an error where something
// is missing without which no cluster runs.
func listFindings(findings []doctor.Finding, columns int) (l listing, missing error) {
	l = listing{head: []string{"", "WHAT", "FOUND"}, data: findings}
	for _, f := range findings {
		mark := "ok"
		switch {
		case f.OK:
			l.names = append(l.names, f.Name)
		case f.Needed:
			mark = "NO"
			missing = fmt.Errorf("%s: %s: %s", f.Name, f.Found, f.Hint)
		default:
			mark = "no"
		}
		l.tell(columns-27, []string{mark, f.Name}, f.Found)
		if f.Disables != "" {
			l.tell(columns-27, nil, "without it: "+f.Disables)
		}
		if f.Hint != "" {
			l.tell(columns-27, nil, "next step: "+f.Hint)
		}
	}
	return l, missing
}
