// Package faults breaks things. One file a fault, one line in Kinds. A fault
// says what capability of the cluster it needs, does its damage, proves it by
// what the servers themselves say, and can undo it; the wrapper in package
// acts does the rest.
package faults

import "github.com/storm-harness/storm/acts"

// Kinds is the table of faults: the word in the scenario, and a new value with
// that kind's defaults.
var Kinds = map[string]func() acts.Act{
	"leaderKill":     func() acts.Act { return &LeaderKill{Shard: "main"} },
	"leaderPause":    func() acts.Act { return &LeaderPause{Shard: "main"} },
	"memberKill":     func() acts.Act { return &MemberKill{Shard: "main", Member: "follower"} },
	"linkDelay":      func() acts.Act { return &LinkDelay{Shard: "main", Between: "leader"} },
	"partition":      func() acts.Act { return &Partition{Shard: "main", Isolate: "leader", Direction: "both"} },
	"quotaBreach":    func() acts.Act { return &QuotaBreach{Shard: "main"} },
	"kubeletRestart": func() acts.Act { return &KubeletRestart{Share: 1, Proxies: true} },
	"rackSilence":    func() acts.Act { return &RackSilence{Rack: 10} },
}
