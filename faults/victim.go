package faults

import (
	"context"
	"fmt"
	"strconv"

	"github.com/storm-harness/storm/acts"
	"github.com/storm-harness/storm/clusters"
)

// victim is the member that a fault hits, as it was observed when it was hit.
type victim struct {
	shard  *acts.Shard
	member clusters.Component
	leader clusters.Component // at that time; it may be the member itself
	term   uint64
}

// memberText is the word of a scenario for a member, in a sentence.
func memberText(word string) string {
	switch word {
	case "leader":
		return "the etcd leader"
	case "follower":
		return "an etcd follower"
	}
	return "etcd member " + word
}

// choose finds the member that a word names: leader, follower (the first one),
// or an index. The leader is taken from the members' own status.
func choose(ctx context.Context, env *acts.Env, shard, word string) (*victim, error) {
	s, err := acts.OpenShard(env.Cluster, shard)
	if err != nil {
		return nil, err
	}
	v := &victim{shard: s}
	if v.leader, v.term, err = s.Led(ctx); err != nil {
		s.Close()
		return nil, err
	}
	switch word {
	case "leader":
		v.member = v.leader
	case "follower":
		if others := s.Others(v.leader); len(others) > 0 {
			v.member = others[0]
		}
	default:
		i, err := strconv.Atoi(word)
		if err == nil && i >= 0 && i < len(s.Members()) {
			v.member = s.Members()[i]
		}
	}
	if v.member == nil {
		s.Close()
		return nil, fmt.Errorf("shard %s has no member %q among its %d", s.Name, word, len(s.Members()))
	}
	return v, nil
}

// leads says whether the victim led when it was hit.
func (v *victim) leads() bool { return v.member.ID() == v.leader.ID() }

// quorumWithout says whether the rest of the shard can still commit.
func (v *victim) quorumWithout() bool {
	n := len(v.shard.Members())
	return n-1 > n/2
}

// target says what was hit; the member is out of service until it is healed.
func (v *victim) target() acts.Target {
	role := "a follower"
	if v.leads() {
		role = "the leader"
	}
	return acts.Target{
		Shard: v.shard.Name, Name: v.member.ID().String(), Down: []string{v.member.ID().String()},
		Notes: []string{fmt.Sprintf("%s was %s in term %d", v.member.ID(), role, v.term)},
	}
}

// checkMember returns what is wrong with a word that should name a member.
func checkMember(field, word string) []string {
	if word == "leader" || word == "follower" {
		return nil
	}
	if i, err := strconv.Atoi(word); err == nil && i >= 0 {
		return nil
	}
	return []string{fmt.Sprintf("%s: %q is no member: write leader, follower, or an index from 0", field, word)}
}
