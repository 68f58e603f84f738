package etcd

import (
	"context"
	"errors"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// Compacted says whether the member answers a read of that revision with
// "compacted".
func (c *Client) Compacted(ctx context.Context, revision int64) (bool, error) {
	_, err := c.kv.Range(ctx, &pb.RangeRequest{Key: []byte("health"), Revision: revision, Serializable: true})
	if errors.Is(rpctypes.Error(err), rpctypes.ErrCompacted) {
		return true, nil
	}
	return false, said(ctx, "read of an old revision", err)
}

// Put writes a key and returns the revision of the write.
func (c *Client) Put(ctx context.Context, key, value string) (int64, error) {
	r, err := c.kv.Put(ctx, &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
	if err != nil {
		return 0, said(ctx, "put", err)
	}
	return r.Header.Revision, nil
}

// Delete removes a key; one that is not there is fine.
func (c *Client) Delete(ctx context.Context, key string) error {
	_, err := c.kv.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: []byte(key)})
	return said(ctx, "delete", err)
}

// Keys are those with a prefix, sorted, all of one revision, in one answer.
func (c *Client) Keys(ctx context.Context, prefix string) ([]string, error) {
	r, err := c.kv.Range(ctx, &pb.RangeRequest{Key: []byte(prefix), RangeEnd: PrefixEnd(prefix), KeysOnly: true})
	if err != nil {
		return nil, said(ctx, "range of keys", err)
	}
	var keys []string
	for _, kv := range r.Kvs {
		keys = append(keys, string(kv.Key))
	}
	return keys, nil
}

// PrefixEnd is the first key behind all those with a prefix, as a range's end.
func PrefixEnd(prefix string) []byte {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return []byte{0} // every key
}
