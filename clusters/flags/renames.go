package flags

import (
	"strings"

	"golang.org/x/mod/semver"
)

// GatesFlag is the flag that feature gates are given by.
const GatesFlag = "feature-gates"

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

const experimental = "experimental-"

// old is the flag's name up to 3.5.
func (r renamed) old() string {
	if r.was != "" {
		return experimental + r.was
	}
	return experimental + r.name
}

// SpelledFor returns the flags with the names that the version takes.
func (fs Set) SpelledFor(version string) Set {
	if semver.Compare(semver.MajorMinor(version), "v3.6") < 0 {
		return fs.spelledOld()
	}
	var out Set
	set := map[string]bool{}
	for _, f := range fs {
		r, ok := findRename(func(r renamed) bool { return r.old() == f.Name })
		switch {
		case !ok:
			out = append(out, f)
		case r.gate != "":
			set[r.gate] = f.Value == "true"
		default:
			out = append(out, Flag{r.name, f.Value})
		}
	}
	if len(set) > 0 {
		out = out.With(map[string]string{GatesFlag: Gates(set, out.Value(GatesFlag))})
	}
	return out
}

func (fs Set) spelledOld() Set {
	var out Set
	for _, f := range fs {
		if f.Name == GatesFlag {
			out = append(out, gatesAsFlags(f.Value)...)
			continue
		}
		if r, ok := findRename(func(r renamed) bool { return r.name == f.Name }); ok {
			f.Name = r.old()
		}
		out = append(out, f)
	}
	return out
}

// gatesAsFlags turns gates into the flags that they were before 3.6; a gate
// that was none stays, so that etcd says what it thinks of it.
func gatesAsFlags(value string) Set {
	var out Set
	var left []string
	for part := range strings.SplitSeq(value, ",") {
		name, on, _ := strings.Cut(strings.TrimSpace(part), "=")
		if r, ok := findRename(func(r renamed) bool { return r.gate == name }); ok && name != "" {
			out = append(out, Flag{r.old(), on})
		} else if part != "" {
			left = append(left, part)
		}
	}
	if len(left) > 0 {
		out = append(out, Flag{GatesFlag, strings.Join(left, ",")})
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
