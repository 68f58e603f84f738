package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// fewKeys and fewWrites are how many it takes for a database that grows by
// pages of 4 KiB to tell what one costs.
const (
	fewKeys   = 100
	fewWrites = 200
)

// etcdCost is what objects and writes cost each shard.
func (t *trial) etcdCost() []found {
	var out []found
	members := t.seenAt()
	for _, shard := range slices.Sorted(maps.Keys(members)) {
		out = append(out, t.shardCost(shard, members[shard])...)
	}
	return out
}

// seenAt is the member that each shard is looked at through: each holds the same.
func (t *trial) seenAt() map[string]string {
	out := map[string]string{}
	for _, member := range t.ofKind(func(c string) bool { _, ok := shardOf(c); return ok }) {
		if shard, _ := shardOf(member); out[shard] == "" {
			out[shard] = member
		}
	}
	return out
}

func (t *trial) shardCost(shard, member string) []found {
	figure := func(name, what, unit, basis string, v float64, why ...string) found {
		return figureOf("etcd", "etcd."+name, shard, what+", shard "+shard, unit, basis, v, cmp.Or(why...))
	}
	steady := t.steady(member)
	base, ok := t.without(member)
	var last gauged
	if len(steady) > 0 {
		last = steady[len(steady)-1]
	}
	keys, bytes, writes := last.keys-base.keys, last.inUse-base.inUse, last.revision-base.revision
	why, few, still := "", "", ""
	switch {
	case len(steady) == 0:
		why = member + " was not scraped in the steady phase"
	case !ok:
		why = noBaseline
	case writes < 0 || t.restarted(member):
		why = "the shard was restored, or " + member + " started again, after the load had begun"
	}
	if keys < fewKeys {
		few = fmt.Sprintf("%.0f keys more than before the load: too few to see in a database of pages", keys)
	}
	own := 0.0
	for _, at := range t.witness[shard] {
		if at > base.at && at <= last.at {
			own++
		}
	}
	if few == "" && own > keys/2 {
		few = fmt.Sprintf("%.0f of %.0f new objects are storm's own witness's", own, keys)
	}
	if bytes <= 0 {
		still = "the bytes in use did not grow"
	}
	const since = " from before the load to the end of the steady phase, at one member"
	c := t.writeCost(steady, base, ok)
	return []found{
		figure("objects", "objects, more than before the load", "count", "growth of etcd_debugging_mvcc_keys_total"+since+": leases, events and what controllers made are among them", keys, why),
		figure("objects.witness", "of these, written by storm's witness", "count", "writes of the witness that were acknowledged in that time, by its journal: each makes one object", own, why),
		figure("bytes.perObject", "bytes in use per object", "bytes", "growth of bytes in use"+since+", over the growth of objects: the history of what was written over or deleted since the last compaction is in it, and the room that pages leave; the witness's objects count too", bytes/keys, why, few, still),
		figure("writes.perObject", "writes per object", "count", "growth of the revision"+since+", over the growth of objects: the more above 1, the more of the bytes per object is history", writes/keys, why, few),
		figure("writes", "acknowledged writes", "per second", "growth of the revision in the steady phase, storm's witness and probes among it", c.rate, c.unseen),
		figure("bytes.perWrite", "bytes in use per acknowledged write, until a compaction", "bytes", "growth of bytes in use over growth of the revision in the steady phase, up to its first compaction: new objects, new versions of old ones and deletions alike", c.size, c.unseen, c.why),
	}
}

// written is what the writes of the steady phases cost, until history was
// compacted.
type written struct {
	size, rate  float64 // bytes each, writes a second
	unseen, why string  // why there is no rate, or no size
}

func (t *trial) writeCost(steady []gauged, base gauged, based bool) written {
	var bytes, writes, span float64
	for i := 1; i < len(steady); i++ {
		a, b := steady[i-1], steady[i]
		if b.compacted != steady[0].compacted {
			break // what is compacted is given back over a while
		}
		if t.follows(a, b) && b.revision >= a.revision {
			bytes, writes, span = bytes+b.inUse-a.inUse, writes+b.revision-a.revision, span+float64(b.at-a.at)/1e9
		}
	}
	out := written{size: bytes / writes, rate: writes / span}
	switch {
	case span == 0:
		out.unseen = "no two scrapes in the steady phase before a compaction"
	case based && steady[0].compacted != base.compacted:
		out.why = "history was compacted after the load had begun, and how much is still being given back is not known"
	case writes < fewWrites:
		out.why = fmt.Sprintf("%.0f writes in the steady phase: too few to see in a database of pages", writes)
	case bytes <= 0:
		out.why = "the bytes in use did not grow"
	}
	return out
}
