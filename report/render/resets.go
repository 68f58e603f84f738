package render

import (
	"fmt"
	"strings"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// resets says in which ways the cluster went back before the trials, and how often
// each; empty where nobody said.
func resets(trials []report.Trial) string {
	var ways []string
	times := map[string]int{}
	for _, t := range trials {
		if t.ResetHow == "" {
			continue
		}
		if times[t.ResetHow]++; times[t.ResetHow] == 1 {
			ways = append(ways, t.ResetHow)
		}
	}
	for i, way := range ways {
		ways[i] = fmt.Sprintf("%s (%s)", way, unit.Count(times[way], "time"))
	}
	return strings.Join(ways, "; ")
}
