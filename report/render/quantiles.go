package render

import (
	"fmt"
	"strings"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// quantileRow is one quantile of the latency of a profile's requests.
type quantileRow struct {
	Profile, Group, Name, Latency string
	Doubt                         string // its interval, or what it would take
	Requests                      uint64
	Worth                         string
}

const quantileCaveat = "Requests of one trial depend on each other. Worth: how many independent ones they come to for this quantile, by how much the trials differ; the interval is as wide as those allow."

func quantileRows(r *report.Result) []quantileRow {
	var out []quantileRow
	for _, c := range r.Curves {
		for _, q := range c.Quantiles {
			out = append(out, quantileRow{
				Profile: c.Profile, Group: c.Group, Name: "p" + strings.TrimSuffix(fmt.Sprintf("%.1f", 100*q.Q), ".0"),
				Latency: latency(q.Seconds), Doubt: doubtOf(q), Requests: c.Requests, Worth: worth(q),
			})
		}
	}
	return out
}

// doubtOf is a quantile's interval, or what it would take.
func doubtOf(q report.Quantile) string {
	if q.Needs != "" {
		return "n/a (needs " + q.Needs + ")"
	}
	return fmt.Sprintf("%s to %s (%s)", latency(q.Low), latency(q.High), percent(q.Confidence))
}

// worth is how many independent requests a quantile's are worth.
func worth(q report.Quantile) string {
	if !q.Worth.Is() {
		return "n/a"
	}
	return unit.Grouped(int(q.Worth.Float()))
}
