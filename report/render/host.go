package render

import (
	"fmt"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// hostLine is the machine in one line.
func hostLine(h rundir.Host) string {
	var parts []string
	if h.Cores > 0 {
		cpu := unit.Count(h.Cores, "core")
		if h.CPU != "" {
			cpu += " of " + h.CPU
		}
		parts = append(parts, cpu)
	}
	if h.MemoryMB > 0 {
		parts = append(parts, report.Format(report.Number(float64(h.MemoryMB)*(1<<20)), "bytes")+" of memory")
	}
	if h.OS != "" {
		parts = append(parts, h.OS)
	}
	if h.Kernel != "" {
		parts = append(parts, "kernel "+h.Kernel)
	}
	if h.FsyncUS > 0 {
		parts = append(parts, "fsync of 4 KiB "+seconds(report.Number(float64(h.FsyncUS)/1e6)))
	}
	if s := standing(h); s != "" {
		parts = append(parts, "storm's threads "+s)
	}
	return strings.Join(parts, ", ")
}

// standing is how storm's threads stood with the scheduler; empty where they stood
// as any other's.
func standing(h rundir.Host) string {
	switch {
	case h.RealTime:
		return "real-time"
	case h.Nice != 0:
		return fmt.Sprintf("nice %d", h.Nice)
	}
	return ""
}

// changesText says what a profile changes.
func changesText(p report.Profile) string {
	if len(p.Changes) == 0 {
		return "the scenario as it stands"
	}
	return strings.Join(p.Changes, ", ")
}

// shardText is one etcd shard in words.
func shardText(s rundir.ShardSummary) string {
	return fmt.Sprintf("%s: %s of etcd %s, holding %s", s.Name, unit.Count(s.Members, "member"), s.Version, shardHolds(s))
}

// shardHolds says which resources are in a shard.
func shardHolds(s rundir.ShardSummary) string {
	switch {
	case len(s.Resources) > 0:
		return strings.Join(s.Resources, ", ")
	case s.Name == "main":
		return "everything that no other shard holds"
	}
	return "everything else"
}
