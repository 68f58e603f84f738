// Package doctor looks at what this machine can and cannot do, by trying it,
// and says what that disables in storm.
package doctor

import (
	"context"
	"os"
)

// Finding is one thing that was looked at.
type Finding struct {
	Name     string `json:"name"`               // "network namespaces"
	OK       bool   `json:"ok"`                 // it is there
	Needed   bool   `json:"needed"`             // without it storm's default cluster does not run at all
	Found    string `json:"found"`              // what was seen
	Disables string `json:"disables,omitempty"` // what storm cannot do without it; empty when OK
	Hint     string `json:"hint,omitempty"`     // the next step
}

// check is one look. It returns what was found and whether the thing is there.
type check struct {
	name     string
	needed   bool
	disables string
	hint     string
	look     func(ctx context.Context, o Options) (ok bool, found string)
}

// Options say where to look.
type Options struct {
	DataDir  string // where clusters keep their data: its disk is measured
	StateDir string
	CacheDir string
}

// Look tries everything and returns the findings in the table's order. It
// leaves nothing behind.
func Look(ctx context.Context, o Options) []Finding {
	var out []Finding
	for _, c := range checks() {
		ok, found := c.look(ctx, o)
		f := Finding{Name: c.name, OK: ok, Needed: c.needed, Found: found}
		if !ok {
			f.Disables, f.Hint = c.disables, c.hint
		}
		out = append(out, f)
	}
	return out
}

// checks is the table of what is looked at, in the order of printing.
func checks() []check {
	return []check{
		{"processors", true, "", "", lookCores},
		{"memory", true, "three etcd members, an apiserver and 200 nodes take about 1.5 GiB", "use a machine with 4 GiB or more", lookMemory},
		{"open files", true, "large fleets: each connection is a file", "raise it with `ulimit -n 65536`", lookFiles},
		{"go toolchain", false, "building components where no release can be downloaded, and comparing builds", "install Go", lookGo},
		{"data disk", true, "", "free some space, or name another directory with --dir", lookSpace},
		{"disk fsync", true, "", "", lookFsync},
		{"root", false, "members on a network of their own: partitions and link delay; scenarios without them run", "run as root where you want those", lookRoot},
		{"network namespaces", false, "partitions and link delay between members (faults partition, linkDelay)", "run as root on Linux with nftables and TUN", lookNamespaces},
		{"TUN device", false, "link delay between members (fault linkDelay)", "load the tun module: `modprobe tun`", lookTUN},
		{"qdisc htb", false, "rate limits on links (not built yet)", "", lookQdisc("htb")},
		{"qdisc tbf", false, "rate limits on links (not built yet)", "", lookQdisc("tbf")},
		{"qdisc netem", false, "nothing: storm delays links with a forwarder of its own", "", lookQdisc("netem")},
		{"qdisc prio", false, "nothing so far", "", lookQdisc("prio")},
		{"FUSE", false, "slow disks under a data directory (not built yet)", "load the fuse module: `modprobe fuse`", lookDevice("/dev/fuse")},
		{"cgroups", false, "memory limits on components (not built yet)", "", lookCgroups},
		{"Docker", false, "clusters in containers (--provider kind)", "", lookDocker},
	}
}

func lookDevice(path string) func(context.Context, Options) (bool, string) {
	return func(context.Context, Options) (bool, string) {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return false, err.Error()
		}
		f.Close()
		return true, path + " opens"
	}
}
