package etcd

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Status is what a member says of itself.
type Status struct {
	MemberID     uint64
	Leader       uint64 // the member that it follows; its own id where it leads; 0 for none
	Term         uint64 // raft term
	Committed    uint64 // raft index of the last entry that it knows committed
	AppliedIndex uint64 // raft index of the last entry that it has applied
	Revision     int64  // of the key-value store
	DBSize       int64  // bytes of the database file
	DBSizeInUse  int64  // bytes of it in use
	Version      string // 3.6.16
	Learner      bool
	Errors       []string // what it complains of: alarms, no leader
}

// Leads says whether the member says that it leads.
func (s Status) Leads() bool { return s.Leader != 0 && s.Leader == s.MemberID }

// Status asks the member about itself; it answers without the others.
func (c *Client) Status(ctx context.Context) (Status, error) {
	r, err := c.maintenance.Status(ctx, &pb.StatusRequest{})
	if err != nil {
		return Status{}, said(ctx, "status", err)
	}
	return Status{
		MemberID: r.Header.MemberId, Leader: r.Leader, Term: r.RaftTerm,
		Committed: r.RaftIndex, AppliedIndex: r.RaftAppliedIndex, Revision: r.Header.Revision,
		DBSize: r.DbSize, DBSizeInUse: r.DbSizeInUse,
		Version: r.Version, Learner: r.IsLearner, Errors: r.Errors,
	}, nil
}

// Health makes a linearizable read: the member serves, has a leader, and a
// quorum confirms that leader.
func (c *Client) Health(ctx context.Context) error {
	_, err := c.kv.Range(ctx, &pb.RangeRequest{Key: []byte("health"), KeysOnly: true, Limit: 1})
	return said(ctx, "linearizable read", err)
}

// Member is a member of the cluster as its membership has it.
type Member struct {
	ID         uint64
	Name       string // empty until it has started
	PeerURLs   []string
	ClientURLs []string
	Learner    bool
}

// Members asks for the membership: the cluster's, by a quorum, if linearizable,
// or else this member's view of it.
func (c *Client) Members(ctx context.Context, linearizable bool) ([]Member, error) {
	r, err := c.cluster.MemberList(ctx, &pb.MemberListRequest{Linearizable: linearizable})
	if err != nil {
		return nil, said(ctx, "member list", err)
	}
	out := make([]Member, len(r.Members))
	for i, m := range r.Members {
		out[i] = Member{ID: m.ID, Name: m.Name, PeerURLs: m.PeerURLs, ClientURLs: m.ClientURLs, Learner: m.IsLearner}
	}
	return out, nil
}

// Hash is the hash of a member's keys up to a revision. Members of one shard
// agree on it, or one of them is corrupt.
type Hash struct {
	Hash      uint32
	Revision  int64 // up to which it was computed
	Compacted int64 // the revision from which on it was computed; comparable only where equal
}

// HashKV computes the hash up to a revision; 0 means the member's latest.
func (c *Client) HashKV(ctx context.Context, revision int64) (Hash, error) {
	r, err := c.maintenance.HashKV(ctx, &pb.HashKVRequest{Revision: revision})
	if err != nil {
		return Hash{}, said(ctx, "hash of the keys", err)
	}
	// Before 3.6 the answer did not say up to where it was computed.
	at := r.HashRevision
	if at == 0 {
		at = revision
	}
	if at == 0 {
		at = r.Header.Revision
	}
	return Hash{Hash: r.Hash, Revision: at, Compacted: r.CompactRevision}, nil
}
