package report

import (
	"fmt"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// scenarioLines is the scenario as it was resolved: what a run with the same
// seed is to be repeated from. Nil where none was kept, or, with a warning, where
// it is not what was kept: the verdicts are of what was measured, and the gates
// are in run.json.
func scenarioLines(dir *rundir.Dir) (lines []string, warning string) {
	text, err := dir.Scenario()
	switch {
	case err != nil:
		return nil, fmt.Sprintf("%v. The verdicts do not depend on it, but this report cannot show what was run.", err)
	case len(text) == 0:
		return nil, ""
	}
	return strings.Split(strings.TrimRight(string(text), "\n"), "\n"), ""
}
