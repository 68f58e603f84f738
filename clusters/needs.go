package clusters

// Need is something that a capability takes of the machine.
type Need string

// The needs.
const (
	NeedRoot   Need = "root"   // to make network namespaces, or to enter those of containers
	NeedDocker Need = "Docker" // a daemon that answers, on this machine
)

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
