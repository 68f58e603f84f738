package measure

import (
	"context"
	"errors"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	pageSize    = 2000
	readTimeout = 10 * time.Second // of all pages
	retryAfter  = 50 * time.Millisecond
)

// readKeys returns the keys under prefix and the revisions that they were
// written at, all as of one revision. It reads linearizably, page by page, from
// whichever member answers.
func readKeys(ctx context.Context, members []*etcdConn, prefix string) (map[string]int64, error) {
	if len(members) == 0 {
		return nil, errors.New("no member of that shard is known")
	}
	attempt := 0
	return eventually(ctx, func(ctx context.Context) (map[string]int64, error) {
		c := members[attempt%len(members)]
		attempt++
		out := map[string]int64{}
		from, end := []byte(prefix), []byte(clientv3.GetPrefixRangeEnd(prefix))
		for revision := int64(0); ; {
			resp, err := c.get(ctx, &pb.RangeRequest{Key: from, RangeEnd: end, Limit: pageSize, Revision: revision, KeysOnly: true})
			if err != nil {
				return nil, err // where the revision was compacted meanwhile, all begins anew
			}
			for _, kv := range resp.Kvs {
				out[string(kv.Key)] = kv.ModRevision
			}
			if !resp.More || len(resp.Kvs) == 0 {
				return out, nil
			}
			revision = resp.Header.Revision
			from = slices.Concat(resp.Kvs[len(resp.Kvs)-1].Key, []byte{0}) // the key after it
		}
	})
}

// eventually calls read until it succeeds or ctx ends.
func eventually[T any](ctx context.Context, read func(context.Context) (T, error)) (T, error) {
	for {
		once, cancel := context.WithTimeout(ctx, readTimeout)
		v, err := read(once)
		cancel()
		if err == nil {
			return v, nil
		}
		select {
		case <-time.After(retryAfter):
		case <-ctx.Done():
			var zero T
			return zero, errors.Join(err, ctx.Err())
		}
	}
}
