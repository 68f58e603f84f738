package workloads

import (
	"strconv"

	"github.com/storm-harness/storm/internal/unit"
)

// perSecond writes a rate as a number of times a second.
func perSecond(r unit.Rate) string {
	return strconv.FormatFloat(r.PerSecond(), 'g', 6, 64)
}
