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
	return fmt.Sprintf("defragment the members of shard %s, one after the other, the leader last", o.Shard)
}

// Needs implements acts.Act.
func (o *Defrag) Needs() []clusters.Capability { return nil }

// slack is how much larger than what it holds a database file may be right
// after its defragmentation: bbolt grows a file in steps.
const slack = 16 << 20

// Inject implements acts.Act.
func (o *Defrag) Inject(ctx context.Context, env *acts.Env) (acts.Injected, error) {
	var all []acts.Defragged
	for _, name := range acts.ShardsNamed(env.Cluster, o.Shard) {
		if err := onShard(env, name, func(s *acts.Shard) error {
			members, err := s.Defrag(ctx)
			all = append(all, members...)
			return err
		}); err != nil {
			return nil, fmt.Errorf("shard %s: %w", name, err)
		}
	}
	facts := map[string]float64{}
	for _, m := range all {
		facts["beforeBytes."+m.Member] = float64(m.Before)
		facts["afterBytes."+m.Member] = float64(m.After)
		facts["seconds."+m.Member] = m.Took.Seconds()
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
	return &done{env: env, target: acts.Target{Shard: o.Shard, Name: "shard " + o.Shard, Facts: facts}, prove: prove, unwell: true}, nil
}

func mib(bytes int64) float64 { return float64(bytes) / float64(unit.Size(1<<20)) }
