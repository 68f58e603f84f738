package render

import (
	"math"
	"strings"

	"github.com/storm-harness/storm/report"
)

// serversSaid fills in what the servers of the quickstart say of themselves:
// the heat maps, the shards, the priority levels, and the scenario.
func serversSaid(r *report.Result) {
	for _, p := range []string{"stock", "fast-election"} {
		for _, group := range []string{"mutating", "read"} {
			m := report.HeatMap{Profile: p, Group: group, From: -8, Step: 1}
			for row := range 25 {
				m.Edges = append(m.Edges, math.Pow(10, float64(row-24)/8))
			}
			for column := range 15 {
				middle, width := 8.0, 2.2
				if at := float64(column - 8); at >= 0 && at < speed[p] {
					middle, width = 15, 5
				}
				if group == "read" {
					middle += 2
				}
				counts := make([]uint64, 24)
				for row := range counts {
					counts[row] = uint64(120 * math.Exp(-math.Pow((float64(row)-middle)/width, 2)))
				}
				m.Counts = append(m.Counts, counts)
			}
			r.Heat = append(r.Heat, m)
		}
		r.Shards = append(r.Shards,
			report.ShardLoad{Profile: p, Shard: "main", Trials: 6, Members: 3, Committed: 41.3, Leaders: 1, Size: 3.1 * (1 << 20), InUse: 2.8 * (1 << 20), Fsync: 0.00112, Commit: 0.0021},
			report.ShardLoad{Profile: p, Shard: "events", Trials: 6, Members: 1, Committed: 101, Size: 2.6 * (1 << 20), InUse: 2.5 * (1 << 20), Fsync: 0.00108, Commit: 0.0019, Slow: 2})
		r.Levels = append(r.Levels,
			report.LevelLoad{Profile: p, Level: "workload-low", Trials: 6, Dispatched: 102, Rejected: 3, Reasons: []report.Count{{Name: "queue-full", N: 14}, {Name: "time-out", N: 4}}, Wait: 0.0021, WaitP99: 0.1, Queued: 12, Seats: 24, Limit: 245},
			report.LevelLoad{Profile: p, Level: "node-high", Trials: 6, Dispatched: 31, Reasons: []report.Count{}, Wait: 0, WaitP99: 0.05, Seats: 3, Limit: 98},
			report.LevelLoad{Profile: p, Level: "leader-election", Trials: 6, Dispatched: 1.4, Reasons: []report.Count{}, Wait: 0, WaitP99: report.Missing(), Seats: 1, Limit: 25})
	}
	r.Scenario = strings.Split(`apiVersion: storm/v1alpha1
kind: Scenario
metadata:
  name: quickstart
spec:
  blocks: 6
  cluster:
    etcd:
      electionTimeout: 1s
      members: 3
      shards:
        - name: events
          resources: [/events]
  profiles:
    - name: stock
    - name: fast-election
      patch: {cluster: {etcd: {heartbeatInterval: 50ms, electionTimeout: 500ms}}}`, "\n")
}
