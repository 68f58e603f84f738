package etcd

import (
	"context"
	"errors"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// Compact drops the history before a revision, and returns when it is gone
// from this member's database (a physical compaction). A revision that is
// compacted already is fine.
func (c *Client) Compact(ctx context.Context, revision int64) error {
	_, err := c.kv.Compact(ctx, &pb.CompactionRequest{Revision: revision, Physical: true})
	if errors.Is(rpctypes.Error(err), rpctypes.ErrCompacted) {
		return nil
	}
	return said(ctx, fmt.Sprintf("compact to revision %d", revision), err)
}

// Defrag rewrites this member's database file without its free pages. The
// member answers nothing meanwhile.
func (c *Client) Defrag(ctx context.Context) error {
	_, err := c.maintenance.Defragment(ctx, &pb.DefragmentRequest{})
	return said(ctx, "defragment", err)
}

// Alarm is an alarm that is raised in the shard.
type Alarm struct {
	Type   string // NOSPACE, CORRUPT
	Member uint64 // the member that raised it
}

// Alarms returns the alarms that are raised in the shard.
func (c *Client) Alarms(ctx context.Context) ([]Alarm, error) {
	r, err := c.maintenance.Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_GET})
	if err != nil {
		return nil, said(ctx, "alarm list", err)
	}
	var out []Alarm
	for _, a := range r.Alarms {
		out = append(out, Alarm{Type: a.Alarm.String(), Member: a.MemberID})
	}
	return out, nil
}

// Disarm clears every alarm that is raised in the shard. An alarm whose cause
// remains is raised again.
func (c *Client) Disarm(ctx context.Context) error {
	alarms, err := c.Alarms(ctx)
	if err != nil {
		return err
	}
	for _, a := range alarms {
		_, err := c.maintenance.Alarm(ctx, &pb.AlarmRequest{
			Action: pb.AlarmRequest_DEACTIVATE, MemberID: a.Member, Alarm: pb.AlarmType(pb.AlarmType_value[a.Type]),
		})
		if err != nil {
			return said(ctx, "disarm "+a.Type, err)
		}
	}
	return nil
}
