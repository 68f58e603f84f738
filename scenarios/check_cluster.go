package scenarios

import (
	"fmt"
	"regexp"
	"time"

	"github.com/storm-harness/storm/clusters"
)

// etcd's own defaults, by which a setting that is absent is judged, and its
// own bound between the two.
const (
	defaultHeartbeat   = 100 * time.Millisecond
	defaultElection    = time.Second
	heartbeatsElection = 5
)

var (
	resourceText          = regexp.MustCompile(`^[a-z0-9.-]*/[a-z0-9.-]+$`)
	kubernetesVersionText = regexp.MustCompile(`^v1\.[0-9]+(\.[0-9]+([-+][0-9A-Za-z.+-]+)?)?$`)
	etcdVersionText       = regexp.MustCompile(`^v3\.[0-9]+(\.[0-9]+([-+][0-9A-Za-z.+-]+)?)?$`)
)

// cluster checks the wanted cluster.
func (c *check) cluster() {
	const kube, etcd = "spec.cluster.kubernetes", "spec.cluster.etcd"
	spec := c.doc.Spec.Cluster
	k := spec.Kubernetes
	for key, version := range map[string]string{
		kube: k.Version, kube + ".apiserver": k.APIServer.Version,
		kube + ".controllerManager": k.ControllerManager.Version, kube + ".scheduler": k.Scheduler.Version,
	} {
		c.version(key+".version", version, kubernetesVersionText, "v1.36 or v1.36.3")
	}
	if r := k.APIServer.Replicas; r != nil && *r == 0 {
		c.add(kube+".apiserver.replicas", "must be at least 1: without an apiserver there is nothing to load")
	}
	holders := map[string]string{}
	for i, sh := range spec.Defaulted().AllShards() {
		key := etcd
		if i > 0 {
			key = fmt.Sprintf("%s.shards[%d]", etcd, i-1)
			c.shard(key, sh, holders)
		}
		if c.index.Has(key + ".version") {
			c.version(key+".version", sh.Version, etcdVersionText, "v3.6 or v3.6.16")
		}
		if i == 0 || c.index.Has(key+".heartbeatInterval") || c.index.Has(key+".electionTimeout") {
			c.election(key, sh) // else it is the main shard's, judged there
		}
		if sh.Members%2 == 0 {
			c.warn(key+".members", "%d members tolerate no more failures than %d, and every write waits for one more of them", sh.Members, sh.Members-1)
		}
	}
}

func (c *check) version(key, version string, right *regexp.Regexp, example string) {
	if version != "" && !right.MatchString(version) {
		c.add(key, "%q is not a version: write %s", version, example)
	}
}

// shard checks a further shard's name and resources.
func (c *check) shard(key string, sh clusters.Shard, holders map[string]string) {
	switch {
	case sh.Name == clusters.MainShard:
		c.add(key+".name", "%q is taken: it is the shard that holds everything no other does", sh.Name)
	case sh.Name == allShards:
		c.add(key+".name", "%q is taken: operations mean every shard by it", sh.Name)
	case sh.Name == "":
		c.add(key+".name", "is missing: a shard needs a name")
	case !nameText.MatchString(sh.Name):
		c.add(key+".name", "%q is not a name: write small letters, digits and dashes", sh.Name)
	}
	if len(sh.Resources) == 0 {
		c.add(key+".resources", "is missing: a shard without resources would hold nothing; write such as [/events]")
	}
	for i, r := range sh.Resources {
		at := fmt.Sprintf("%s.resources[%d]", key, i)
		if !resourceText.MatchString(r) {
			c.add(at, "%q is not a resource: write group/resource, such as /events or coordination.k8s.io/leases", r)
		}
		if holder, claimed := holders[r]; claimed {
			c.add(at, "%s is held by the shard %s already: a resource lives in one shard", r, holder)
			continue
		}
		holders[r] = sh.Name
	}
}

// election checks what etcd itself would refuse at its start.
func (c *check) election(key string, sh clusters.Shard) {
	heartbeat, election := sh.HeartbeatInterval.D(), sh.ElectionTimeout.D()
	if heartbeat == 0 {
		heartbeat = defaultHeartbeat
	}
	if election == 0 {
		election = defaultElection
	}
	where := key + ".electionTimeout"
	if !c.index.Has(where) && c.index.Has(key+".heartbeatInterval") {
		where = key + ".heartbeatInterval"
	}
	switch {
	case heartbeat%time.Millisecond != 0 || election%time.Millisecond != 0:
		c.add(where, "etcd counts heartbeats and elections in whole milliseconds: found %s and %s", heartbeat, election)
	case election < heartbeatsElection*heartbeat:
		c.add(where, "the election timeout of %s is less than %d heartbeats of %s: etcd refuses to start", election, heartbeatsElection, heartbeat)
	case election > 50*time.Second:
		c.add(where, "the election timeout of %s is above 50s: etcd refuses to start", election)
	}
}
