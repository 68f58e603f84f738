package flags

import (
	"strconv"

	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/unit"
)

// Deployed returns the flags with the deployment's gates and flags over them.
func (fs Set) Deployed(d clusters.Deployment, over map[string]string) Set {
	fs = fs.With(d.Flags).With(over)
	if len(d.FeatureGates) > 0 {
		fs = fs.With(map[string]string{GatesFlag: Gates(d.FeatureGates, fs.Value(GatesFlag))})
	}
	return fs
}

// OfShard are the flags that a shard's settings come to.
func OfShard(s clusters.Shard) Set {
	var fs Set
	add := func(name, value string, set bool) {
		if set {
			fs = append(fs, Flag{name, value})
		}
	}
	add("heartbeat-interval", millis(s.HeartbeatInterval), s.HeartbeatInterval > 0)
	add("election-timeout", millis(s.ElectionTimeout), s.ElectionTimeout > 0)
	add("snapshot-count", strconv.Itoa(s.SnapshotCount), s.SnapshotCount > 0)
	add("quota-backend-bytes", strconv.FormatInt(s.Quota.Bytes(), 10), s.Quota > 0)
	return fs
}

func millis(d unit.Duration) string { return strconv.FormatInt(d.D().Milliseconds(), 10) }
