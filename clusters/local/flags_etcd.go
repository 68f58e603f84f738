package local

import (
	"strconv"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/storm-harness/storm/internal/unit"
)

// etcdFlags are the flags of one member. dir is its data directory, token the
// name by which the members of one cluster know each other. version is the
// binary's: some flags go by another name in another minor release.
func etcdFlags(s shardLayout, member int, p *pki, dir, token, version string, over map[string]string) flagSet {
	m := s.members[member]
	pair := etcdPair(m)
	fs := flagSet{
		{"name", m.id.String()},
		{"data-dir", dir},
		{"listen-client-urls", m.url()},
		{"advertise-client-urls", m.url()},
		{"listen-peer-urls", m.peerURL()},
		{"initial-advertise-peer-urls", m.peerURL()},
		{"initial-cluster", initialCluster(s)},
		{"initial-cluster-state", "new"},
		{"initial-cluster-token", token},
		{"client-cert-auth", "true"},
		{"trusted-ca-file", p.crt(etcdCA)},
		{"cert-file", p.crt(pair)},
		{"key-file", p.key(pair)},
		{"peer-client-cert-auth", "true"},
		{"peer-trusted-ca-file", p.crt(etcdCA)},
		{"peer-cert-file", p.crt(pair)},
		{"peer-key-file", p.key(pair)},
		{"logger", "zap"},
		{"log-level", "info"},
	}
	add := func(name, value string, set bool) {
		if set {
			fs = append(fs, flag{name, value})
		}
	}
	add("heartbeat-interval", millis(s.HeartbeatInterval), s.HeartbeatInterval > 0)
	add("election-timeout", millis(s.ElectionTimeout), s.ElectionTimeout > 0)
	add("snapshot-count", strconv.Itoa(s.SnapshotCount), s.SnapshotCount > 0)
	add("quota-backend-bytes", strconv.FormatInt(s.Quota.Bytes(), 10), s.Quota > 0)
	return fs.with(s.Flags).with(over).spelledFor(version)
}

func etcdPair(m site) string { return "etcd/" + m.id.String() }

func millis(d unit.Duration) string { return strconv.FormatInt(d.D().Milliseconds(), 10) }

// initialCluster lists the members of a shard as etcd and etcdutl take them.
func initialCluster(s shardLayout) string {
	var out []string
	for _, m := range s.members {
		out = append(out, m.id.String()+"="+m.peerURL())
	}
	return strings.Join(out, ",")
}

// renamed is a flag that went by the name "experimental-" + name up to etcd
// 3.5, and became a flag of its own, or a feature gate, with 3.6. In 3.6 the old
// names still work; 3.7 refuses them. Since a scenario may run an upgrade, its
// flag is spelled as the version of the moment takes it.
type renamed struct {
	name string // the flag since 3.6
	gate string // or the gate since 3.6
	was  string // before, without "experimental-", where that differs
}

// renames lists the flags that 3.5 knows by their experimental name only, each
// with its way since 3.6, as the sources of both have them.
var renames = []renamed{
	{name: "compact-hash-check-time"},
	{name: "compaction-batch-limit"},
	{name: "compaction-sleep-interval"},
	{name: "corrupt-check-time"},
	{name: "distributed-tracing-address"},
	{name: "distributed-tracing-instance-id"},
	{name: "distributed-tracing-sampling-rate"},
	{name: "distributed-tracing-service-name"},
	{name: "downgrade-check-time"},
	{name: "enable-distributed-tracing"},
	{name: "memory-mlock"},
	{name: "peer-skip-client-san-verification"},
	{name: "snapshot-catchup-entries"},
	{name: "warning-apply-duration"},
	{name: "watch-progress-notify-interval"},
	{name: "bootstrap-defrag-threshold-megabytes"},
	{gate: "CompactHashCheck", was: "compact-hash-check-enabled"},
	{gate: "InitialCorruptCheck", was: "initial-corrupt-check"},
	{gate: "LeaseCheckpoint", was: "enable-lease-checkpoint"},
	{gate: "LeaseCheckpointPersist", was: "enable-lease-checkpoint-persist"},
	{gate: "StopGRPCServiceOnDefrag", was: "stop-grpc-service-on-defrag"},
	{gate: "TxnModeWriteWithSharedBuffer", was: "txn-mode-write-with-shared-buffer"},
}

const (
	experimental = "experimental-"
	gatesFlag    = "feature-gates"
)

// old is the flag's name up to 3.5.
func (r renamed) old() string {
	if r.was != "" {
		return experimental + r.was
	}
	return experimental + r.name
}

// spelledFor returns the flags with the names that the version takes.
func (fs flagSet) spelledFor(version string) flagSet {
	if semver.Compare(semver.MajorMinor(version), "v3.6") < 0 {
		return fs.spelledOld()
	}
	var out flagSet
	set := map[string]bool{}
	for _, f := range fs {
		r, ok := findRename(func(r renamed) bool { return r.old() == f.name })
		switch {
		case !ok:
			out = append(out, f)
		case r.gate != "":
			set[r.gate] = f.value == "true"
		default:
			out = append(out, flag{r.name, f.value})
		}
	}
	if len(set) > 0 {
		out = out.with(map[string]string{gatesFlag: gates(set, out.value(gatesFlag))})
	}
	return out
}

func (fs flagSet) spelledOld() flagSet {
	var out flagSet
	for _, f := range fs {
		if f.name == gatesFlag {
			out = append(out, gatesAsFlags(f.value)...)
			continue
		}
		if r, ok := findRename(func(r renamed) bool { return r.name == f.name }); ok {
			f.name = r.old()
		}
		out = append(out, f)
	}
	return out
}

// gatesAsFlags turns gates into the flags that they were before 3.6; a gate
// that was none stays, so that etcd says what it thinks of it.
func gatesAsFlags(value string) flagSet {
	var out flagSet
	var left []string
	for part := range strings.SplitSeq(value, ",") {
		name, on, _ := strings.Cut(strings.TrimSpace(part), "=")
		if r, ok := findRename(func(r renamed) bool { return r.gate == name }); ok && name != "" {
			out = append(out, flag{r.old(), on})
		} else if part != "" {
			left = append(left, part)
		}
	}
	if len(left) > 0 {
		out = append(out, flag{gatesFlag, strings.Join(left, ",")})
	}
	return out
}

func findRename(is func(renamed) bool) (renamed, bool) {
	for _, r := range renames {
		if is(r) {
			return r, true
		}
	}
	return renamed{}, false
}
