package clusters

import (
	"slices"

	flowcontrol "k8s.io/api/flowcontrol/v1"

	"github.com/storm-harness/storm/internal/unit"
)

// Spec is the cluster that a scenario wants, the same for every provider.
// The zero value of a field means "the default", which Defaulted fills in.
type Spec struct {
	Provider   string     `yaml:"provider" enum:"local,kind,existing" doc:"where the cluster runs; local processes by default"`
	From       string     `yaml:"from" doc:"an etcd snapshot file to start from, instead of an empty cluster"`
	Network    string     `yaml:"network" enum:"auto,namespaces,loopback" doc:"how etcd members are connected: each a host of its own in a network namespace, or all on loopback; auto takes namespaces where storm may make them"`
	Kubernetes Kubernetes `yaml:"kubernetes" doc:"the Kubernetes components"`
	Etcd       Etcd       `yaml:"etcd" doc:"the main etcd shard, and the defaults of the others"`
}

// Kubernetes says which control plane components to run, and how.
type Kubernetes struct {
	Version           string     `yaml:"version" doc:"v1.36 for the newest patch release at hand, or v1.36.3"`
	BinDir            string     `yaml:"binDir" doc:"a directory of binaries to run instead of a release: a build under test"`
	APIServer         Deployment `yaml:"apiserver" doc:"kube-apiserver"`
	ControllerManager Deployment `yaml:"controllerManager" doc:"kube-controller-manager"`
	Scheduler         Deployment `yaml:"scheduler" doc:"kube-scheduler"`
	Workers           int        `yaml:"workers" min:"0" max:"9" doc:"nodes with a kubelet and containers, beside the control plane; none by default, since simulated nodes do for most"`
	// The objects of priority and fairness are part of the golden state: they
	// are there, and observed to be in force, when a trial begins.
	PriorityLevels []PriorityLevel `yaml:"priorityLevels" doc:"PriorityLevelConfigurations to make, or to put in the place of the server's own of that name; in force before any load begins"`
	FlowSchemas    []FlowSchema    `yaml:"flowSchemas" doc:"FlowSchemas, in the same way: which requests go to which level"`
	Objects        []Object        `yaml:"objects" doc:"further objects that are there when a trial begins, such as a webhook's configuration, a policy or a CustomResourceDefinition; part of the golden copy, applied in this order"`
}

// Object is any object of the API that a cluster is to have from the start.
type Object struct {
	Name     string         `yaml:"name" key:"true" required:"true" doc:"what the scenario calls it, for profiles to patch it by"`
	Manifest map[string]any `yaml:"manifest" required:"true" doc:"the object, as kubectl apply takes it"`
}

// PriorityLevel is a PriorityLevelConfiguration by its name.
type PriorityLevel struct {
	Name string                                     `yaml:"name" key:"true" required:"true" doc:"the object's name"`
	Spec flowcontrol.PriorityLevelConfigurationSpec `yaml:"spec" required:"true" doc:"what the manifest has under spec"`
}

// FlowSchema is a FlowSchema by its name.
type FlowSchema struct {
	Name string                     `yaml:"name" key:"true" required:"true" doc:"the object's name"`
	Spec flowcontrol.FlowSchemaSpec `yaml:"spec" required:"true" doc:"what the manifest has under spec"`
}

// Deployment is one kind of stateless component: how many, and with what.
type Deployment struct {
	Replicas     *int              `yaml:"replicas" min:"0" max:"9" doc:"how many to run; several elect a leader; 0 controller managers or schedulers run none"`
	Version      string            `yaml:"version" doc:"a version of its own, for skew"`
	BinDir       string            `yaml:"binDir" doc:"a directory of its own to take the binary from"`
	FeatureGates map[string]bool   `yaml:"featureGates" doc:"feature gates by name"`
	Flags        map[string]string `yaml:"flags" doc:"further flags by name, without the dashes; they win over storm's own"`
	Env          map[string]string `yaml:"env" doc:"further environment variables"`
}

// Etcd is the main shard. Its settings are also the defaults of every other
// shard, except Members and Topology.
type Etcd struct {
	Version           string            `yaml:"version" doc:"v3.6 for the newest patch release at hand, or v3.6.16"`
	BinDir            string            `yaml:"binDir" doc:"a directory to take etcd, etcdctl and etcdutl from"`
	Members           int               `yaml:"members" min:"1" max:"9" doc:"members of the main shard; 1 by default"`
	Topology          string            `yaml:"topology" enum:"external,stacked" doc:"external: every apiserver asks any member of the main shard; stacked: there are as many members as apiservers, and each apiserver asks its own alone, as on kubeadm's control-plane nodes"`
	HeartbeatInterval unit.Duration     `yaml:"heartbeatInterval" doc:"raft heartbeat; etcd's default is 100ms"`
	ElectionTimeout   unit.Duration     `yaml:"electionTimeout" doc:"raft election timeout; etcd's default is 1s; at least five heartbeats"`
	SnapshotCount     int               `yaml:"snapshotCount" min:"0" doc:"committed transactions between two raft snapshots"`
	Quota             unit.Size         `yaml:"quota" doc:"backend quota; NOSPACE is raised beyond it; etcd's default is 2GiB"`
	Flags             map[string]string `yaml:"flags" doc:"further flags by name, without the dashes; they win over storm's own"`
	Env               map[string]string `yaml:"env" doc:"further environment variables"`
	Proxy             string            `yaml:"proxy" enum:"none,gateway,grpc-proxy" doc:"what stands between the apiservers and the members"`
	Shards            []Shard           `yaml:"shards" doc:"further etcd clusters, each holding some resources"`
}

// Shard is an etcd cluster beside the main one, holding some resources. Its
// zero fields take the main shard's values, but for Members, which is 1, and
// Topology, which is external.
type Shard struct {
	Name              string            `yaml:"name" key:"true" doc:"the shard's name; main is taken"`
	Resources         []string          `yaml:"resources" doc:"what it holds, as group/resource: /events, coordination.k8s.io/leases"`
	Version           string            `yaml:"version" doc:"an etcd version of its own"`
	BinDir            string            `yaml:"binDir" doc:"a directory of its own to take etcd from"`
	Members           int               `yaml:"members" min:"1" max:"9" doc:"members; 1 by default"`
	Topology          string            `yaml:"topology" enum:"external,stacked" doc:"external, whatever the main shard is: every apiserver asks any member; stacked: there are as many members as apiservers, and each apiserver asks its own alone"`
	HeartbeatInterval unit.Duration     `yaml:"heartbeatInterval" doc:"raft heartbeat"`
	ElectionTimeout   unit.Duration     `yaml:"electionTimeout" doc:"raft election timeout"`
	SnapshotCount     int               `yaml:"snapshotCount" min:"0" doc:"committed transactions between two raft snapshots"`
	Quota             unit.Size         `yaml:"quota" doc:"backend quota"`
	Flags             map[string]string `yaml:"flags" doc:"further flags by name, without the dashes"`
	Env               map[string]string `yaml:"env" doc:"further environment variables"`
	Proxy             string            `yaml:"proxy" enum:"none,gateway,grpc-proxy" doc:"what stands between the apiservers and the members"`
}

// Existing is the provider of clusters that storm did not make: they are taken as
// they are. KindCluster is that of clusters in containers, whose components a kubelet
// runs.
const (
	Existing    = "existing"
	KindCluster = "kind"
)

// The ways in which apiservers and the members of a shard are laid out.
const (
	External = "external"
	Stacked  = "stacked"
)

// MainShard is the name of the shard that holds every resource no other does.
const MainShard = "main"

// Defaulted returns the spec with its defaults filled in: provider local,
// network auto, one replica of each component, one member a shard, and every
// shard's settings inherited from the main one.
func (s Spec) Defaulted() Spec {
	def := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	def(&s.Provider, "local")
	def(&s.Network, "auto")
	def(&s.Kubernetes.Version, "v1.36")
	def(&s.Etcd.Version, "v3.6")
	def(&s.Etcd.Proxy, "none")
	def(&s.Etcd.Topology, External)
	if s.Etcd.Members == 0 {
		s.Etcd.Members = 1
	}
	for _, d := range []*Deployment{&s.Kubernetes.APIServer, &s.Kubernetes.ControllerManager, &s.Kubernetes.Scheduler} {
		if d.Replicas == nil {
			one := 1
			d.Replicas = &one
		}
		def(&d.Version, s.Kubernetes.Version)
		def(&d.BinDir, s.Kubernetes.BinDir)
	}
	shards := make([]Shard, len(s.Etcd.Shards))
	for i, sh := range s.Etcd.Shards {
		def(&sh.Version, s.Etcd.Version)
		def(&sh.BinDir, s.Etcd.BinDir)
		def(&sh.Proxy, s.Etcd.Proxy)
		def(&sh.Topology, External)
		if sh.Members == 0 {
			sh.Members = 1
		}
		if sh.HeartbeatInterval == 0 {
			sh.HeartbeatInterval = s.Etcd.HeartbeatInterval
		}
		if sh.ElectionTimeout == 0 {
			sh.ElectionTimeout = s.Etcd.ElectionTimeout
		}
		if sh.SnapshotCount == 0 {
			sh.SnapshotCount = s.Etcd.SnapshotCount
		}
		if sh.Quota == 0 {
			sh.Quota = s.Etcd.Quota
		}
		sh.Flags = merged(s.Etcd.Flags, sh.Flags)
		sh.Env = merged(s.Etcd.Env, sh.Env)
		shards[i] = sh
	}
	s.Etcd.Shards = shards
	return s
}

// Stacked says whether each apiserver has a member of the shard of its own.
func (s Shard) Stacked() bool { return s.Topology == Stacked }

// AllShards returns the main shard, as a Shard without resources, followed by
// the others. Call it on a defaulted spec.
func (s Spec) AllShards() []Shard {
	e := s.Etcd
	main := Shard{
		Name: MainShard, Version: e.Version, BinDir: e.BinDir, Members: e.Members, Topology: e.Topology,
		HeartbeatInterval: e.HeartbeatInterval, ElectionTimeout: e.ElectionTimeout,
		SnapshotCount: e.SnapshotCount, Quota: e.Quota, Flags: e.Flags, Env: e.Env, Proxy: e.Proxy,
	}
	return append([]Shard{main}, e.Shards...)
}

// Holder is the name of the shard that stores a resource, as group/resource.
func (s Spec) Holder(resource string) string {
	for _, sh := range s.Etcd.Shards {
		if slices.Contains(sh.Resources, resource) {
			return sh.Name
		}
	}
	return MainShard
}

// merged returns a new map with b's entries over a's.
func merged(a, b map[string]string) map[string]string {
	if len(a)+len(b) == 0 {
		return nil
	}
	m := make(map[string]string, len(a)+len(b))
	for k, v := range a {
		m[k] = v
	}
	for k, v := range b {
		m[k] = v
	}
	return m
}
