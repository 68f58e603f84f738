package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/strict"
	"github.com/storm-harness/storm/internal/unit"
)

// The kinds that have rules of their own here, because these depend on other
// steps or on the cluster.
const (
	kindBackup  = "backup"
	kindRestore = "restore"
	kindQuota   = "quotaBreach"

	kindRestartKubelets = "kubeletRestart"
	kindSilence         = "rackSilence"
	kindDrain           = "drain"
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
	case f.For == nil && !passes(f.Act.Value):
		c.add(key+".for", "is missing: how long is the effect held before storm heals it, such as 10s? Where operations of the timeline repair it, write heal: timeline")
	}
}

// passes says whether a fault is over as soon as it is done.
func passes(a acts.Act) bool {
	_, ok := a.(acts.Passing)
	return ok
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
				c.known(a.key+".from", name, "earlier backup", backups)
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
		c.fleet(a)
		value, has := strict.Lookup(a.act, "shard")
		name, ok := value.(string)
		if !has || !ok {
			continue
		}
		if name == "" {
			name = clusters.MainShard
		}
		right := names
		if a.sort == acts.SortOperation {
			right = append(slices.Clone(names), clusters.EveryShard)
		}
		if !c.known(a.key+".shard", name, "shard", right) || name == clusters.EveryShard {
			continue
		}
		c.members(a, shards[name], needs)
		c.quota(a, shards[name], spec)
	}
}

// members checks what an act asks of its shard's members, and warns of a
// quorum lost.
func (c *check) members(a placedAct, sh clusters.Shard, needs map[clusters.Capability]bool) {
	for _, field := range []string{"member", "isolate"} {
		value, _ := strict.Lookup(a.act, field)
		word, _ := value.(string)
		if i, err := strconv.Atoi(word); err == nil && i >= sh.Members {
			c.add(a.key+"."+field, "there is no member %d: the shard %s has %d, numbered from 0", i, sh.Name, sh.Members)
		}
		if word == "follower" && sh.Members < 2 {
			c.add(a.key+"."+field, "there is no follower: the shard %s has one member", sh.Name)
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
		c.warn(a.key, "takes the shard %s below its quorum: it has %s, so it is down until the fault is healed", sh.Name, unit.Count(sh.Members, "member"))
		c.liveness(a)
	} else if breaks && sh.Stacked() {
		c.liveness(a)
	}
}

// kubeletBears is how long a kubelet bears an apiserver whose liveness probe fails:
// kubeadm's manifests have eight failures, ten seconds apart.
const kubeletBears = 80 * time.Second

// liveness warns of a fault that a kubelet ends in its own way: an apiserver is live
// only while the etcd that it asks answers.
func (c *check) liveness(a placedAct) {
	if c.doc.Spec.Cluster.Provider == clusters.KindCluster && a.hold >= kubeletBears {
		c.warn(a.step+".for", "kind's kubelets restart an apiserver that has had no etcd for %v, and an end that nobody asked for makes a trial invalid: hold it shorter", kubeletBears)
	}
}

// etcd's quota where none is set, and how much a quota breach writes at most.
const (
	defaultQuota  unit.Size = 2 << 30
	defaultFilled unit.Size = 1 << 30
)

// quota checks that a quota breach can fill its shard, and reach the quota that it
// is to breach.
func (c *check) quota(a placedAct, sh clusters.Shard, spec clusters.Spec) {
	if a.kind != kindQuota {
		return
	}
	if sh.Name != spec.Holder("/configmaps") && sh.Name != spec.Holder("/events") {
		c.add(a.key+".shard", "the shard %s holds neither configmaps nor events, which are what it is filled with", sh.Name)
		return
	}
	value, _ := strict.Lookup(a.act, "atMost")
	most, _ := value.(unit.Size)
	if most == 0 {
		most = defaultFilled
	}
	quota := sh.Quota
	if quota == 0 {
		quota = defaultQuota
	}
	if quota > most {
		c.add(a.key, "gives up after %s, and the shard %s takes %s: set its quota lower, such as 64MiB, in this cluster, profile or tour", most, sh.Name, quota)
	}
}
