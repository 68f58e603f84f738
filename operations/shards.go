package operations

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/storm-harness/storm/acts"
)

// onShard runs do on an open shard.
func onShard(env *acts.Env, name string, do func(*acts.Shard) error) error {
	s, err := acts.OpenShard(env.Cluster, name)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s)
}

// onShards runs do on every shard that the word of a scenario names.
func onShards(env *acts.Env, word string, do func(*acts.Shard) error) error {
	for _, name := range acts.ShardsNamed(env.Cluster, word) {
		if err := onShard(env, name, do); err != nil {
			return fmt.Errorf("shard %s: %w", name, err)
		}
	}
	return nil
}

// listed writes values by shard: "main: revision 120, events: revision 80".
func listed(values map[string]int64, what string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parts = append(parts, fmt.Sprintf("%s: %s %d", name, what, values[name]))
	}
	return strings.Join(parts, ", ")
}
