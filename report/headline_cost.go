package report

import (
	"fmt"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// ofRequests names the metrics that are a latency of requests.
var ofRequests = map[string]bool{"api.latency": true, "lease.renewal": true, "etcd.latency": true}

// atNoCost says that what was found better did not cost latency, where a gate
// shows it: a comparison of a p99 between the same two profiles that passed. An
// absolute threshold shows no such thing, and neither does a table.
func atNoCost(r *Result, found *Gate) string {
	better := improvement(found)
	if better == nil || ofRequests[found.Metric] {
		return ""
	}
	var shown []string
	widest := 0.0
	for _, g := range r.Gates {
		if !ofRequests[g.Metric] || g.Stat != "p99" || g.Tour != "" {
			continue
		}
		for _, res := range g.Results {
			c := res.Comparison
			if c == nil || c.Base != better.Base || c.Profile != better.Profile {
				continue
			}
			switch res.Verdict {
			case Pass:
			case Improved: // a gain of its own, which is no lack of a cost
				continue
			default:
				return ""
			}
			shown, widest = append(shown, subject(g.Gate)), max(widest, c.Margin)
		}
	}
	switch len(shown) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf(", at no cost in %s beyond the margin of %s", shown[0], percent(widest))
	}
	return fmt.Sprintf(", at no cost in p99 latency (%d gates) beyond their margins of %s at most", len(shown), percent(widest))
}

// improvement is the comparison in which a gate found a profile better.
func improvement(g *Gate) *Comparison {
	for _, res := range g.Results {
		if res.Comparison != nil && res.Verdict == Improved {
			return res.Comparison
		}
	}
	return nil
}

// better is the finding of a gate that found a profile better, with what it did
// not cost.
func better(r *Result, g *Gate) string {
	return strings.TrimSuffix(finding(g, "Better"), ".") + atNoCost(r, g) + "."
}

// from says what a gate on recovery times is about the recovery from, after
// the verb: " from a lost leader".
func from(g rundir.Gate) string {
	switch act := g.Where["act"]; act {
	case "":
		return ""
	case "leaderKill", "leaderPause":
		return " from a lost leader"
	default:
		return " after " + act
	}
}

// in says where it looks: " in API server writes".
func in(g rundir.Gate) string {
	return join(" in ", layerWord(g.Where["layer"]), g.Where["shard"], g.Where["op"]+"s")
}
