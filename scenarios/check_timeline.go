package scenarios

import (
	"fmt"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/strict"
)

// The kinds of operation that a timeline's order depends on.
const (
	kindBackup  = "backup"
	kindRestore = "restore"
)

// timeline checks the order of a timeline's steps.
func (c *check) timeline(key string, steps []step) {
	if len(steps) == 0 && c.index.Has(key) {
		c.add(key, "has no steps: a trial would be over at once")
	}
	acted := false
	for i, st := range steps {
		at := fmt.Sprintf("%s[%d]", key, i)
		switch r := st.resolve(); r.Phase {
		case PhaseWarmup:
			if i > 0 {
				c.add(at+".warmup", "must be the first step: what comes before it would be measured cold")
			}
		case PhaseCooldown:
			if i < len(steps)-1 {
				c.add(at+".cooldown", "must be the last step")
			}
		case PhaseRecovery:
			if !acted {
				c.add(at+".recovery", "comes after no fault and no operation: there is nothing to recover from")
			}
			acted = false
		case PhaseFault:
			acted = true
			c.hold(at+".fault", st.Fault, steps[i+1:])
		case PhaseOperation:
			acted = true
		}
	}
	c.actNames(placed(key, steps))
	c.restores(placed(key, steps))
	for _, a := range placed(key, steps) {
		c.own(a.key, a.act.Check())
	}
}

// hold checks how long a fault is held and who heals it.
func (c *check) hold(key string, f *fault, after []step) {
	switch {
	case f.Heal == acts.HealTimeline:
		for _, st := range after {
			if st.Operation != nil {
				return
			}
		}
		c.add(key+".heal", "the timeline is to heal it, but no operation follows: add one, or write heal: auto")
	case f.For == nil:
		c.add(key+".for", "is missing: how long is the effect held before storm heals it, such as 10s?")
	}
}

// actNames checks that every act can be told from the others.
func (c *check) actNames(placed []placedAct) {
	first := map[string]placedAct{}
	for _, a := range placed {
		before, twice := first[a.name]
		if !twice {
			first[a.name] = a
			continue
		}
		where := c.index.Problem(before.step, "").Pos
		if c.index.Has(a.step + ".name") {
			c.add(a.step+".name", "%q is taken: the first act of that name is at %s", a.name, where)
			continue
		}
		c.add(a.step, "is the second act called %s, after the one at %s: give it a name of its own", a.name, where)
	}
}

// restores checks that every restore has a backup before it.
func (c *check) restores(placed []placedAct) {
	var backups []string
	for _, a := range placed {
		switch {
		case a.sort == acts.SortOperation && a.kind == kindBackup:
			backups = append(backups, a.name)
		case a.sort == acts.SortOperation && a.kind == kindRestore:
			from, _ := strict.Lookup(a.act, "from")
			if len(backups) == 0 {
				c.add(a.key, "comes after no backup: there is nothing to restore from")
			} else if name, ok := from.(string); ok && name != "" {
				c.known(a.key+".from", name, "backup before it called", backups)
			}
		}
	}
}

// actsOn checks a timeline's acts against the cluster that they are done to.
func (c *check) actsOn(key string, steps []step) {
	spec := c.doc.Spec.Cluster.Defaulted()
	shards := map[string]clusters.Shard{}
	var names []string
	for _, sh := range spec.AllShards() {
		shards[sh.Name] = sh
		names = append(names, sh.Name)
	}
	for _, a := range placed(key, steps) {
		needs := map[clusters.Capability]bool{}
		for _, n := range a.act.Needs() {
			needs[n] = true
		}
		if needs[clusters.CanLink] && spec.Network == "loopback" {
			c.add(a.key, "needs members with links between them, but cluster.network is loopback: take auto or namespaces")
		}
		value, has := strict.Lookup(a.act, "shard")
		name, ok := value.(string)
		if !has || !ok {
			continue
		}
		if name == "" {
			name = clusters.MainShard
		}
		if !c.known(a.key+".shard", name, "shard", names) {
			continue
		}
		c.members(a, shards[name], needs)
	}
}

// members checks what an act asks of its shard's members, and warns of a
// quorum lost.
func (c *check) members(a placedAct, sh clusters.Shard, needs map[clusters.Capability]bool) {
	if v, ok := strict.Lookup(a.act, "member"); ok {
		if m, ok := v.(int); ok && m >= sh.Members {
			c.add(a.key+".member", "there is no member %d: the shard %s has %d, numbered from 0", m, sh.Name, sh.Members)
		}
	}
	if a.sort != acts.SortFault {
		return
	}
	if needs[clusters.CanLink] && sh.Members < 2 {
		c.add(a.key, "needs a link between two members, but the shard %s has %d", sh.Name, sh.Members)
		return
	}
	breaks := needs[clusters.CanSignal] || needs[clusters.CanRestart] || needs[clusters.CanLink] && a.kind != "linkDelay"
	if quorum := sh.Members/2 + 1; breaks && sh.Members-1 < quorum {
		c.warn(a.key, "takes the shard %s below its quorum: it has %d %s, so it is down until the fault is healed", sh.Name, sh.Members, plural(sh.Members, "member"))
	}
}
