package clusters

import (
	"fmt"
	"regexp"
	"time"
)

// etcd's own defaults, by which a setting that is absent is judged, and its
// bounds: etcd refuses to start beyond them.
const (
	usualHeartbeat     = 100 * time.Millisecond
	usualElection      = time.Second
	heartbeatsElection = 5
	mostElection       = 50 * time.Second
)

// A shard's name becomes part of file names, host names and flags; a resource
// is what --etcd-servers-overrides takes, with an empty group for the core's.
var (
	shardName             = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`)
	resourceText          = regexp.MustCompile(`^[a-z0-9.-]*/[a-z0-9.-]+$`)
	kubernetesVersionText = regexp.MustCompile(`^v1\.[0-9]+(\.[0-9]+([-+][0-9A-Za-z.+-]+)?)?$`)
	etcdVersionText       = regexp.MustCompile(`^v3\.[0-9]+(\.[0-9]+([-+][0-9A-Za-z.+-]+)?)?$`)
)

// EveryShard is the word of operations for every shard; none may have it for a
// name.
const EveryShard = "all"

// Check returns what no provider could do of the spec, each "field: message";
// a field is written as in YAML, list elements by their number. What a shard
// inherits from the main one is judged there alone.
func (s Spec) Check() []string {
	s = s.Defaulted()
	c := &specCheck{holders: map[string]string{}, names: map[string]bool{}}
	k := s.Kubernetes
	c.version("kubernetes.version", k.Version, kubernetesVersionText, "v1.36 or v1.36.3")
	for _, d := range []struct {
		field string
		Deployment
	}{{"apiserver", k.APIServer}, {"controllerManager", k.ControllerManager}, {"scheduler", k.Scheduler}} {
		if d.Version != k.Version {
			c.version("kubernetes."+d.field+".version", d.Version, kubernetesVersionText, "v1.36 or v1.36.3")
		}
	}
	if *k.APIServer.Replicas == 0 {
		c.bad("kubernetes.apiserver.replicas", "must be at least 1: without an apiserver there is nothing to load")
	}
	c.fairness(k)
	c.objects(k)
	shards := s.AllShards()
	for i, sh := range shards {
		field, inherits := "etcd", i > 0
		if inherits {
			field = fmt.Sprintf("etcd.shards[%d]", i-1)
			c.shard(field, sh)
		}
		if !inherits || sh.Version != shards[0].Version {
			c.version(field+".version", sh.Version, etcdVersionText, "v3.6 or v3.6.16")
		}
		if !inherits || sh.HeartbeatInterval != shards[0].HeartbeatInterval || sh.ElectionTimeout != shards[0].ElectionTimeout {
			c.election(field, sh)
		}
		if n := *k.APIServer.Replicas; sh.Stacked() && sh.Members != n {
			c.bad(field+".topology", "stacked takes as many members of the shard %s as apiservers, and there are %d and %d: set %s.members and kubernetes.apiserver.replicas to the same", sh.Name, sh.Members, n, field)
		}
		if sh.Members < 1 {
			c.bad(field+".members", "%d is too few", sh.Members)
		}
	}
	return c.found
}

// NotBuilt returns what no provider does yet of a defaulted spec, each "field:
// message" as Check has them.
func (s Spec) NotBuilt() []string {
	c := &specCheck{}
	if s.From != "" {
		c.bad("from", "starting from a snapshot is not built yet")
	}
	for i, sh := range s.AllShards() {
		switch {
		case sh.Proxy == "none":
		case i == 0:
			c.bad("etcd.proxy", "%s is not built yet", sh.Proxy)
		case sh.Proxy != s.Etcd.Proxy: // else it is inherited, and said there
			c.bad(fmt.Sprintf("etcd.shards[%d].proxy", i-1), "%s is not built yet", sh.Proxy)
		}
	}
	return c.found
}

// Members counts the etcd members of all shards of a defaulted spec.
func (s Spec) Members() (n int) {
	for _, sh := range s.AllShards() {
		n += sh.Members
	}
	return n
}

// specCheck collects what is wrong with a spec.
type specCheck struct {
	found   []string
	names   map[string]bool   // of shards
	holders map[string]string // the shard that claimed a resource
}

func (c *specCheck) bad(field, format string, args ...any) {
	c.found = append(c.found, field+": "+fmt.Sprintf(format, args...))
}

func (c *specCheck) version(field, version string, right *regexp.Regexp, example string) {
	if !right.MatchString(version) {
		if right.MatchString("v" + version) {
			example = "v" + version
		}
		c.bad(field, "%q is not a version: write %s", version, example)
	}
}

// shard checks a further shard's name and resources.
func (c *specCheck) shard(field string, sh Shard) {
	switch {
	case sh.Name == MainShard:
		c.bad(field+".name", "%q is taken: it is the shard that holds everything no other does", sh.Name)
	case sh.Name == EveryShard:
		c.bad(field+".name", "%q is taken: operations mean every shard by it", sh.Name)
	case sh.Name == "":
		c.bad(field+".name", "is missing: a shard needs a name")
	case !shardName.MatchString(sh.Name):
		c.bad(field+".name", "%q is not a name: write small letters, digits and dashes, at most 32", sh.Name)
	case c.names[sh.Name]:
		c.bad(field+".name", "%q is taken: another shard has it", sh.Name)
	}
	c.names[sh.Name] = true
	if len(sh.Resources) == 0 {
		c.bad(field+".resources", "is missing: a shard without resources would hold nothing; write such as [/events]")
	}
	for i, r := range sh.Resources {
		at := fmt.Sprintf("%s.resources[%d]", field, i)
		if !resourceText.MatchString(r) {
			c.bad(at, "%q is not a resource: write group/resource, such as /events or coordination.k8s.io/leases", r)
		}
		if holder, claimed := c.holders[r]; claimed {
			c.bad(at, "%s is held by the shard %s already: a resource lives in one shard", r, holder)
			continue
		}
		c.holders[r] = sh.Name
	}
}

// election checks what etcd itself would refuse at its start.
func (c *specCheck) election(field string, sh Shard) {
	heartbeat, election := sh.HeartbeatInterval.D(), sh.ElectionTimeout.D()
	where := field + ".electionTimeout"
	if election == 0 {
		election = usualElection
		where = field + ".heartbeatInterval"
	}
	if heartbeat == 0 {
		heartbeat = usualHeartbeat
	}
	switch {
	case heartbeat%time.Millisecond != 0 || election%time.Millisecond != 0 || heartbeat < 0:
		c.bad(where, "etcd counts heartbeats and elections in whole milliseconds: found %s and %s", heartbeat, election)
	case election < heartbeatsElection*heartbeat:
		c.bad(where, "the election timeout of %s is less than %d heartbeats of %s: etcd refuses to start", election, heartbeatsElection, heartbeat)
	case election > mostElection:
		c.bad(where, "the election timeout of %s is above %s: etcd refuses to start", election, mostElection)
	}
}
