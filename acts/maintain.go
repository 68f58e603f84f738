package acts

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/storm-harness/storm/clusters"
)

// NoSpace is etcd's name of the alarm that a breached quota raises.
const NoSpace = "NOSPACE"

// Alarms returns the names of the alarms raised in the shard, as its alarm
// list has them.
func (s *Shard) Alarms(ctx context.Context) ([]string, error) {
	var last error
	for _, m := range s.members {
		actx, cancel := context.WithTimeout(ctx, 2*time.Second)
		alarms, err := s.clients[m.ID()].Alarms(actx)
		cancel()
		if err != nil {
			last = fmt.Errorf("%s: %w", m.ID(), err)
			continue
		}
		var names []string
		for _, a := range alarms {
			names = append(names, a.Type)
		}
		return names, nil
	}
	return nil, last
}

// Compact drops the history up to the present revision and waits until it is
// gone from the backend of the member that leads (physical), and for some seconds from
// the others'. It returns the revision.
func (s *Shard) Compact(ctx context.Context) (int64, error) {
	leader, _, err := s.Led(ctx)
	if err != nil {
		return 0, err
	}
	st, err := s.patientStatus(ctx, leader)
	if err != nil {
		return 0, err
	}
	if err := s.clients[leader.ID()].Compact(ctx, st.Revision); err != nil {
		return st.Revision, err
	}
	s.letGo(ctx, leader)
	return st.Revision, nil
}

// letGo waits until the others have let go of their history too: a compaction waits for
// the member that it is asked of alone, and a member that is defragmented before it has
// compacted keeps what it had. Members differ by some pages. One that goes on differing,
// or does not answer, is not waited for.
func (s *Shard) letGo(ctx context.Context, leader clusters.Component) {
	const pages, patience, every = 4 << 20, 5 * time.Second, 250 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_ = UntilEvery(ctx, every, func(ctx context.Context) error {
		of, err := s.Status(ctx, leader)
		if err != nil {
			return nil
		}
		for _, m := range s.Others(leader) {
			if st, err := s.Status(ctx, m); err == nil && st.DBSizeInUse > of.DBSizeInUse+pages {
				return fmt.Errorf("%s has %d bytes in use, %s %d", m.ID(), st.DBSizeInUse, leader.ID(), of.DBSizeInUse)
			}
		}
		return nil
	})
}

// Defragged is what a member's defragmentation did.
type Defragged struct {
	Member        string
	Before, After int64 // bytes of the database file
	InUse         int64 // bytes in use afterwards
	Took          time.Duration
}

// Defrag rewrites each member's database, one after the other, the leader
// last: a member answers nothing meanwhile.
func (s *Shard) Defrag(ctx context.Context) ([]Defragged, error) {
	leader, _, err := s.Led(ctx)
	if err != nil {
		return nil, err
	}
	var out []Defragged
	for _, m := range append(s.Others(leader), leader) {
		before, err := s.patientStatus(ctx, m)
		if err != nil {
			return out, fmt.Errorf("%s: %w", m.ID(), err)
		}
		start := time.Now()
		if err := s.clients[m.ID()].Defrag(ctx); err != nil {
			return out, fmt.Errorf("%s: %w", m.ID(), err)
		}
		took := time.Since(start)
		after, err := s.patientStatus(ctx, m)
		if err != nil {
			return out, fmt.Errorf("%s: %w", m.ID(), err)
		}
		out = append(out, Defragged{Member: m.ID().String(), Before: before.DBSize, After: after.DBSize, InUse: after.DBSizeInUse, Took: took})
	}
	return out, nil
}

// Disarm clears every alarm that is raised, and returns their names.
func (s *Shard) Disarm(ctx context.Context) ([]string, error) {
	leader, _, err := s.Led(ctx)
	if err != nil {
		return nil, err
	}
	raised, err := s.Alarms(ctx)
	if err != nil {
		return nil, err
	}
	return raised, s.clients[leader.ID()].Disarm(ctx)
}

// ShardsNamed resolves the word of a scenario: one shard's name, or "all".
func ShardsNamed(c clusters.Cluster, word string) []string {
	if word != clusters.EveryShard {
		return []string{word}
	}
	var names []string
	for _, sh := range c.Spec().Defaulted().AllShards() {
		names = append(names, sh.Name)
	}
	return names
}

// ShardText is the same word in a sentence.
func ShardText(word string) string {
	if word == clusters.EveryShard {
		return "every shard"
	}
	return "shard " + word
}

// IsNoSpace says whether an error is etcd's refusal to write beyond the quota,
// also when it comes through the apiserver.
func IsNoSpace(err error) bool {
	return err != nil && strings.Contains(err.Error(), "database space exceeded")
}
