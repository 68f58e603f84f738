package operations

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
	"github.com/storm-harness/storm/internal/unit"
)

// Defrag rewrites the database of every member of a shard, one member after
// the other and the leader last. A member answers nothing meanwhile.
type Defrag struct {
	Shard string `yaml:"shard" doc:"a shard's name, or all; main by default"`
}

// Check implements acts.Act.
func (o *Defrag) Check() []string { return nil }

// Describe implements acts.Act.
func (o *Defrag) Describe() string {
	return fmt.Sprintf("defragment the members of %s, one after the other, the leader last", acts.ShardText(o.Shard))
}

// Needs implements acts.Act.
func (o *Defrag) Needs() []clusters.Capability { return []clusters.Capability{clusters.CanEtcd} }

// slack is how much larger than what it holds a database file may be right
// after its defragmentation: bbolt grows a file in steps.
const slack = 16 << 20

// Aim implements acts.Act.
func (o *Defrag) Aim(_ context.Context, env *acts.Env) (acts.Aimed, error) {
	var all []acts.Defragged
	facts := map[string]float64{}
	do := func(ctx context.Context, _ *done) error {
		return onShards(env, o.Shard, func(s *acts.Shard) error {
			members, err := s.Defrag(ctx)
			for _, m := range members {
				facts["beforeBytes."+m.Member] = float64(m.Before)
				facts["afterBytes."+m.Member] = float64(m.After)
				facts["seconds."+m.Member] = m.Took.Seconds()
			}
			all = append(all, members...)
			return err
		})
	}
	prove := func(context.Context) (string, error) {
		var said []string
		for _, m := range all {
			if m.After > m.Before || m.After > m.InUse+slack {
				return "", fmt.Errorf("%s: its database has %d bytes for %d in use, before %d", m.Member, m.After, m.InUse, m.Before)
			}
			said = append(said, fmt.Sprintf("%s %.1f → %.1f MiB in %s", m.Member, mib(m.Before), mib(m.After), m.Took.Round(time.Millisecond)))
		}
		return "the members' own status: " + strings.Join(said, ", "), nil
	}
	return &done{env: env, target: acts.Target{Shard: o.Shard, Name: "shard " + o.Shard, Facts: facts}, do: do, prove: prove, unwell: true}, nil
}

func mib(bytes int64) float64 { return float64(bytes) / float64(unit.Size(1<<20)) }
