package clusters

// Need is something that a capability takes of the machine.
type Need string

// The needs.
const (
	NeedRoot   Need = "root"   // to make network namespaces, or to enter those of containers
	NeedDocker Need = "Docker" // a daemon that answers, on this machine
)

// ToCome are capabilities that have their place and are not built: for faults and
// operations that need one, a name and a method, and nothing else of a cluster.
var ToCome = []struct {
	Capability Capability
	Text       string
}{
	{"disk", "slow down or fill the disk below a member's data"},
	{"rate", "limit how much a link carries"},
	{"memory", "limit a component's memory"},
	{"diverge", "have a member's data differ from the others'"},
	{"members", "add, promote, remove and replace etcd members while the cluster lives"},
	{"version", "run components in another version while the cluster lives: upgrades, and the way back"},
	{"split", "move resources to a shard of their own while the cluster lives"},
	{"node", "freeze, kill and start again a node with all that runs on it"},
}

// Described are the capabilities in words, in the order in which they are listed.
var Described = []struct {
	Capability Capability
	Text       string
}{
	{CanSignal, "send signals to a component: pause, kill"},
	{CanRestart, "stop a component, change its flags and environment, start it"},
	{CanLink, "drop or delay packets between components, one direction at a time"},
	{CanData, "save, verify and restore etcd members' data"},
	{CanEtcd, "write to etcd itself and maintain it: fill its quota, compact, defragment, disarm"},
	{CanIssue, "make client certificates that the API servers accept"},
	{CanGolden, "go back to the same state before every trial"},
}
