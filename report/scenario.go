package report

import (
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// scenarioLines is the scenario as it was resolved: what a run with the same
// seed is to be repeated from. Nil where none was kept, or it cannot be read:
// the report is of what was measured.
func scenarioLines(dir *rundir.Dir) []string {
	text, err := dir.Scenario()
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimRight(string(text), "\n"), "\n")
}
