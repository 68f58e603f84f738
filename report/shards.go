package report

import (
	"math"
	"slices"
	"strings"

	"github.com/storm-harness/storm/internal/rundir"
)

// ShardLoad is what one etcd shard did under a profile, in the measured phases:
// medians over the valid block trials, by the members' own metrics.
type ShardLoad struct {
	Profile string `json:"profile"`
	Shard   string `json:"shard"`
	Trials  int    `json:"trials"`
	Members int    `json:"members"` // that were seen
	// Committed are proposals committed a second.
	Committed Number `json:"committed"`
	// Leaders are changes of leader in a trial.
	Leaders Number `json:"leaderChanges"`
	// Size and InUse are those of the largest database of a member, in the end.
	Size  Number `json:"size"`
	InUse Number `json:"inUse"`
	// Fsync and Commit are mean times of the log's fsync and of a commit of the
	// database, at the slowest member, seconds.
	Fsync  Number `json:"fsync"`
	Commit Number `json:"commit"`
	// Slow are requests in a trial that took longer to apply than etcd expects.
	Slow Number `json:"slowApplies"`
}

// shardLoads are the shards of every profile, in the order of its topology.
func shardLoads(run rundir.Run, trials []*trial) []ShardLoad {
	var out []ShardLoad
	for _, p := range run.Profiles {
		at := slices.IndexFunc(run.Topology, func(t rundir.Topology) bool { return t.Profile == p.Name })
		if at < 0 {
			continue
		}
		for _, s := range run.Topology[at].Shards {
			if l := shardLoad(s.Name, blockTrials(trials, p.Name)); l.Members > 0 {
				l.Profile = p.Name
				out = append(out, l)
			}
		}
	}
	return out
}

// blockTrials are a profile's valid trials of the blocks.
func blockTrials(trials []*trial, profile string) []*trial {
	return slices.DeleteFunc(slices.Clone(trials), func(t *trial) bool {
		return t.Profile != profile || t.Tour != "" || t.state != TrialValid
	})
}

func shardLoad(shard string, trials []*trial) ShardLoad {
	out := ShardLoad{Shard: shard}
	var committed, leaders, size, used, fsync, commit, slow []float64
	for _, t := range trials {
		m := t.members(shard)
		if len(m) == 0 {
			continue
		}
		out.Trials, out.Members = out.Trials+1, max(out.Members, len(m))
		var c, z, u, f, b, s float64
		for _, member := range m {
			c = max(c, member["etcd_server_proposals_committed_total"].end-member["etcd_server_proposals_committed_total"].first) // an index
			z = max(z, member["etcd_mvcc_db_total_size_in_bytes"].end)
			u = max(u, member["etcd_mvcc_db_total_size_in_use_in_bytes"].end)
			f = max(f, member.mean("etcd_disk_wal_fsync_duration_seconds"))
			b = max(b, member.mean("etcd_disk_backend_commit_duration_seconds"))
			s += member["etcd_server_slow_apply_total"].increase
		}
		if span := t.seconds(rundir.Gate{}); span > 0 {
			committed = append(committed, c/span)
		}
		size, used, fsync, commit, slow = append(size, z), append(used, u), append(fsync, f), append(commit, b), append(slow, s)
		if n := t.leaderChanges(gateOn("etcd.leader.changes", "shard", shard)); !math.IsNaN(n.v) {
			leaders = append(leaders, n.v)
		}
	}
	out.Committed, out.Leaders, out.Size, out.InUse = middle(committed), middle(leaders), middle(size), middle(used)
	out.Fsync, out.Commit, out.Slow = middle(fsync), middle(commit), middle(slow)
	return out
}

// memberSeen is what one member said, by the name of the metric.
type memberSeen map[string]seenSample

// mean of a histogram's observations, 0 where it had none.
func (m memberSeen) mean(name string) float64 {
	n := m[name+"_count"].increase
	if n == 0 {
		return 0
	}
	return m[name+"_sum"].increase / n
}

// members are the members of a shard that were scraped in measured phases.
func (t *trial) members(shard string) map[string]memberSeen {
	out := map[string]memberSeen{}
	for k, s := range t.seen.samples {
		number, is := strings.CutPrefix(k.component, "etcd-"+shard+"-")
		if !is || number == "" || strings.Trim(number, "0123456789") != "" || s.counted == 0 || math.IsNaN(s.last) {
			continue
		}
		if out[k.component] == nil {
			out[k.component] = memberSeen{}
		}
		if len(s.labels) == 0 {
			out[k.component][s.name] = *s
		}
	}
	return out
}
