// Package etcd holds the primitives on a single etcd member: status, history,
// alarms, snapshots. A client talks to one member only, so that an answer is
// that member's own and never a luckier neighbour's.
package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// Client is a connection to one member.
type Client struct {
	endpoint string
	c        *clientv3.Client
}

// Open prepares a connection to the member at the client URL; it is made at
// the first call, and again, quickly, when it breaks.
func Open(endpoint string, secure *tls.Config) (*Client, error) {
	if secure != nil {
		secure = secure.Clone()
	}
	c, err := clientv3.New(clientv3.Config{
		Endpoints:          []string{endpoint},
		TLS:                secure,
		Logger:             zap.NewNop(),
		MaxCallRecvMsgSize: math.MaxInt32,
		MaxUnaryRetries:    1, // the least that clientv3 takes: a caller that polls wants the first answer
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
			// gRPC's own back-off grows to two minutes: longer than any outage here.
			Backoff:           backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 250 * time.Millisecond},
			MinConnectTimeout: time.Second,
		})},
	})
	if err != nil {
		return nil, fmt.Errorf("etcd client for %s: %w", endpoint, err)
	}
	return &Client{endpoint: endpoint, c: c}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.c.Close() }

// Raw is the client underneath, for what has no primitive here.
func (c *Client) Raw() *clientv3.Client { return c.c }

// Status is what a member says of itself.
type Status struct {
	MemberID     uint64
	Leader       uint64 // member ID of the leader it follows; 0: none
	Term         uint64 // raft
	Revision     int64
	Committed    uint64 // raft index
	AppliedIndex uint64 // raft index
	DBSize       int64  // bytes of the database file
	DBSizeInUse  int64  // bytes
	Version      string
	Learner      bool
	Errors       []string // such as raised alarms
}

// Status asks the member; it answers from its own memory, also without a
// leader.
func (c *Client) Status(ctx context.Context) (Status, error) {
	r, err := c.c.Status(ctx, c.endpoint)
	if err != nil {
		return Status{}, err
	}
	return Status{
		MemberID: r.Header.MemberId, Leader: r.Leader, Term: r.RaftTerm, Revision: r.Header.Revision,
		Committed: r.RaftIndex, AppliedIndex: r.RaftAppliedIndex,
		DBSize: r.DbSize, DBSizeInUse: r.DbSizeInUse, Version: r.Version, Learner: r.IsLearner, Errors: r.Errors,
	}, nil
}

// Health does a linearizable read, which needs a leader and a quorum.
func (c *Client) Health(ctx context.Context) error {
	_, err := c.c.Get(ctx, "health")
	return err
}

// Put writes a key and returns the revision of the write.
func (c *Client) Put(ctx context.Context, key, value string) (int64, error) {
	r, err := c.c.Put(ctx, key, value)
	if err != nil {
		return 0, err
	}
	return r.Header.Revision, nil
}

// Count counts the keys with a prefix.
func (c *Client) Count(ctx context.Context, prefix string) (int64, error) {
	r, err := c.c.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	return r.Count, nil
}

// Compact drops the history below the revision and waits until the backend has
// let go of it.
func (c *Client) Compact(ctx context.Context, revision int64) error {
	_, err := c.c.Compact(ctx, revision, clientv3.WithCompactPhysical())
	if errors.Is(err, rpctypes.ErrCompacted) {
		return nil // someone was faster: it is as wanted
	}
	return err
}

// Compacted says whether the member answers a read of that revision with
// "compacted".
func (c *Client) Compacted(ctx context.Context, revision int64) (bool, error) {
	if revision < 1 {
		return false, fmt.Errorf("revision %d cannot be asked for", revision)
	}
	_, err := c.c.Get(ctx, "health", clientv3.WithRev(revision), clientv3.WithSerializable())
	if errors.Is(err, rpctypes.ErrCompacted) {
		return true, nil
	}
	return false, err
}

// Defrag rewrites the member's database file; the member answers nothing else
// meanwhile.
func (c *Client) Defrag(ctx context.Context) error {
	_, err := c.c.Defragment(ctx, c.endpoint)
	return err
}

// Alarm is a raised alarm.
type Alarm struct {
	Member uint64
	Type   string // NOSPACE, CORRUPT
}

// Alarms returns the shard's alarm list, as this member has it.
func (c *Client) Alarms(ctx context.Context) ([]Alarm, error) {
	r, err := c.c.AlarmList(ctx)
	if err != nil {
		return nil, err
	}
	var out []Alarm
	for _, a := range r.Alarms {
		if a.Alarm != etcdserverpb.AlarmType_NONE {
			out = append(out, Alarm{Member: a.MemberID, Type: a.Alarm.String()})
		}
	}
	return out, nil
}

// Disarm clears every alarm.
func (c *Client) Disarm(ctx context.Context) error {
	_, err := c.c.AlarmDisarm(ctx, &clientv3.AlarmMember{})
	return err
}
