package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/doctor"
)

func (a *app) doctorVerb() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine can and cannot do, and what that disables",
		Long: `doctor tries what storm's clusters and faults need (root, network namespaces,
queueing disciplines, TUN, FUSE, cgroups, Docker, the disk's fsync) and says
what is missing and what that disables; then which capabilities local and kind
clusters have here (docs/providers.md). It leaves nothing behind. The exit code
is 1 only where something is missing without which no local cluster runs.`,
		Example: "  storm doctor\n  sudo storm doctor -o json",
		Args:    takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := doctor.Look(cmd.Context(), doctor.Options{DataDir: cmp.Or(dir, os.TempDir())})
			for _, name := range slices.Sorted(maps.Keys(providers)) {
				if name != clusters.Existing { // what that can do is its cluster's
					findings = append(findings, canDo(name, providers[name].capabilities(clusters.Spec{Provider: name}.Defaulted()))...)
				}
			}
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

// canDo is what a provider's clusters can do on this machine, and for each reason
// what they cannot. absent is why not, empty where they can.
func canDo(provider string, absent map[clusters.Capability]string) []doctor.Finding {
	var can []string
	var reasons []string
	lacks := map[string][]string{} // by reason
	for _, d := range clusters.Described {
		why, known := absent[d.Capability]
		switch {
		case !known:
		case why == "":
			can = append(can, string(d.Capability))
		default:
			if lacks[why] == nil {
				reasons = append(reasons, why)
			}
			lacks[why] = append(lacks[why], string(d.Capability))
		}
	}
	var out []doctor.Finding
	if len(can) > 0 {
		out = append(out, doctor.Finding{Name: provider + " clusters", OK: true, Found: "can " + strings.Join(can, ", ")})
	}
	for _, why := range reasons {
		out = append(out, doctor.Finding{Name: provider + " clusters", Found: why, Disables: strings.Join(lacks[why], ", ") + " (docs/providers.md)"})
	}
	return out
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
