package render

import (
	"math"
	"slices"

	"github.com/storm-harness/storm/internal/unit"
	"github.com/storm-harness/storm/report"
)

// shardGroup is an etcd shard under all profiles.
type shardGroup struct {
	Shard, Holds string
	Rows         []report.ShardLoad
}

func shardGroups(r *report.Result) []shardGroup {
	var out []shardGroup
	for _, s := range r.Shards {
		i := slices.IndexFunc(out, func(g shardGroup) bool { return g.Shard == s.Shard })
		if i < 0 {
			out = append(out, shardGroup{Shard: s.Shard, Holds: holds(r, s.Shard)})
			i = len(out) - 1
		}
		out[i].Rows = append(out[i].Rows, s)
	}
	return out
}

// holds says which resources a shard holds, where the profiles agree.
func holds(r *report.Result, name string) string {
	text := ""
	for _, p := range r.Profiles {
		for _, s := range p.Shards {
			if s.Name != name {
				continue
			}
			if this := shardHolds(s); text == "" {
				text = this
			} else if text != this {
				return ""
			}
		}
	}
	return text
}

// levelGroup is a priority level under all profiles.
type levelGroup struct {
	Level string
	Rows  []report.LevelLoad
}

func levelGroups(r *report.Result) []levelGroup {
	var out []levelGroup
	for _, l := range r.Levels {
		i := slices.IndexFunc(out, func(g levelGroup) bool { return g.Level == l.Level })
		if i < 0 {
			out = append(out, levelGroup{Level: l.Level})
			i = len(out) - 1
		}
		out[i].Rows = append(out[i].Rows, l)
	}
	return out
}

// waited is the bound that 99 % of a level's requests waited at most.
func waited(n report.Number) string {
	switch {
	case math.IsInf(n.Float(), 1):
		return "over 30 s"
	case !n.Is():
		return "n/a"
	}
	return "≤ " + seconds(n)
}

// reasons lists why requests were rejected.
func reasons(list []report.Count) string {
	var out []string
	for _, c := range list {
		out = append(out, c.Name+" "+unit.Grouped(c.N))
	}
	return listed(out)
}
