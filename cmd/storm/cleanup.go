package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/clusters/hand"
	"github.com/storm-harness/storm/clusters/supervise"
	"github.com/storm-harness/storm/internal/ledger"
)

func (a *app) cleanupVerb() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cleanup",
		Short: "Remove what a killed storm left behind",
		Long: `cleanup reads the ledgers of runs whose storm is gone and puts back what they
say was changed: it ends processes and removes containers, directories,
interfaces, and the objects of a run in a cluster that storm did not make, each
only if it is certainly that run's own. A storm that is alive is left alone, and
so is everything that storm did not make. To call it twice is harmless.`,
		Example: "  storm cleanup\n  storm cleanup -o json",
		Args:    takes(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := cleanUp(cmd.Context())
			l := listing{data: found}
			for _, f := range found {
				l.rows = append(l.rows, []string{findingText(f)})
				l.names = append(l.names, f.Run)
			}
			if len(found) == 0 && err == nil {
				l.rows = [][]string{{"Nothing was left behind."}}
			}
			if printErr := a.print(l); printErr != nil {
				return printErr
			}
			if err != nil {
				return fmt.Errorf("not everything could be put back: %w", err)
			}
			return nil
		},
	}
	a.outputFlag(cmd)
	return cmd
}

// orphansPatience bounds how long a supervisor that is ending is waited for: it gives
// containers two minutes.
const orphansPatience = 150 * time.Second

// cleanUp cleans up. Where a storm was killed a moment ago, its supervisor is
// just ending what it kept: cleanUp waits for that, and looks again.
func cleanUp(ctx context.Context) ([]ledger.Finding, error) {
	all := []ledger.Finding{}
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		found, err := ledger.Cleanup(ctx, nil)
		all = append(slices.DeleteFunc(all, func(f ledger.Finding) bool { return f.Result == ledger.Live }), found...)
		if err != nil || ctx.Err() != nil || time.Since(began) > orphansPatience {
			return all, err
		}
		byHand, err := hand.List(ctx)
		if err != nil {
			return all, err
		}
		ending := func(f ledger.Finding) bool {
			return f.Result == ledger.Live && (isSupervisor(f.PID) || isComponent(f.PID)) &&
				!slices.ContainsFunc(byHand, func(c hand.Found) bool { return c.RunID == f.Run })
		}
		if !slices.ContainsFunc(found, ending) {
			return all, nil
		}
	}
}

// isSupervisor says whether a process is a supervisor. As the owner of a run
// it is one whose storm has gone.
func isSupervisor(pid int) bool {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return err == nil && strings.HasSuffix(string(line), "\x00"+supervise.Verb+"\x00")
}

// isComponent says whether a process is a component of a cluster. It dies with
// its supervisor, so that a run of which nothing else lives is just ending: on a
// busy machine the kernel takes its time over it.
func isComponent(pid int) bool {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	name, _, _ := strings.Cut(string(line), "\x00")
	return err == nil && slices.Contains([]clusters.Kind{
		clusters.KindEtcd, clusters.KindAPIServer, clusters.KindControllerManager, clusters.KindScheduler,
	}, clusters.Kind(filepath.Base(name)))
}

// findingText is a finding in words.
func findingText(f ledger.Finding) string {
	text := "run " + f.Run + ":"
	if f.Kind != "" {
		text += fmt.Sprintf(" %s %s", f.Kind, f.Name)
	}
	if f.PID != 0 {
		text += fmt.Sprintf(" (process %d)", f.PID)
	}
	text += " " + f.Result
	if f.Why != "" {
		text += ": " + f.Why
	}
	return text
}
